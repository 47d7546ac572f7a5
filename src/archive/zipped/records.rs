//! The records of a zip archive, field by field, and their times.

/// What each record begins with.
pub(super) const LOCAL: u32 = 0x0403_4b50;
pub(super) const DESCRIPTOR: u32 = 0x0807_4b50;
pub(super) const CENTRAL: u32 = 0x0201_4b50;
pub(super) const END: u32 = 0x0605_4b50;
pub(super) const END_64: u32 = 0x0606_4b50;
pub(super) const LOCATOR_64: u32 = 0x0706_4b50;

/// Sizes without what has no fixed length.
pub(super) const LOCAL_SIZE: usize = 30;
pub(super) const CENTRAL_SIZE: usize = 46;
pub(super) const END_SIZE: usize = 22;
pub(super) const END_64_SIZE: usize = 56;
pub(super) const LOCATOR_64_SIZE: usize = 20;

/// The extra fields with large numbers, and with a time in seconds since 1970.
pub(super) const EXTRA_64: u16 = 1;
pub(super) const EXTRA_TIME: u16 = 0x5455;

/// What stands for a number that is in the extra field.
pub(super) const LARGE: u32 = u32::MAX;

/// Flags of an entry.
pub(super) const ENCRYPTED: u16 = 1;
pub(super) const SIZES_AFTER: u16 = 1 << 3;
pub(super) const UTF8: u16 = 1 << 11;

/// How the content is stored.
pub(super) const STORED: u16 = 0;
pub(super) const DEFLATED: u16 = 8;

/// A time of MS-DOS, the date in the upper half: two seconds fine, and from 1980 to 2107. Taken as UTC.
pub(super) fn dos_time(seconds: u64) -> u32 {
    const LAST: u64 = 4_354_819_198;
    let seconds = seconds.clamp(crate::archive::sink::EPOCH, LAST);
    let (day, second) = (seconds / 86_400, (seconds % 86_400) as u32);
    // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years begin in March.
    let day = day + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let date = ((year - 1980) << 9 | month << 5 | of_month) as u32;
    date << 16 | (second / 3600) << 11 | (second / 60 % 60) << 5 | (second % 60 / 2)
}

/// Seconds since 1970 of a time of MS-DOS, taken as UTC. A month or day that does not exist is moved, not refused.
pub(super) fn unix_time(dos: u32) -> u64 {
    let (date, time) = (u64::from(dos >> 16), u64::from(dos & 0xffff));
    let (year, month, day) = ((date >> 9) + 1980, (date >> 5 & 15).clamp(1, 12), (date & 31).max(1));
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_era = (year % 400) * 365 + (year % 400) / 4 - (year % 400) / 100 + (153 * month + 2) / 5 + day - 1;
    let days = (year / 400) * 146_097 + of_era - 719_468;
    days * 86_400 + (time >> 11) * 3600 + (time >> 5 & 63) * 60 + (time & 31) * 2
}

#[cfg(test)]
mod tests {
    use super::{dos_time, unix_time};

    #[test]
    fn times_come_back() {
        let dates = [(315_532_800, 0x0021_0000), (1_582_934_400, 0x505d_0000), (1_735_689_598, 0x599f_bf7d)];
        for (seconds, dos) in dates {
            assert_eq!(dos_time(seconds), dos, "{seconds}");
            assert_eq!(unix_time(dos), seconds);
        }
        for seconds in (315_532_800..4_354_819_198).step_by(86_399 * 2) {
            assert_eq!(unix_time(dos_time(seconds)), seconds & !1);
        }
        assert_eq!(unix_time(dos_time(0)), 315_532_800);
        assert_eq!(unix_time(dos_time(u64::MAX)), 4_354_819_198);
        unix_time(0);
        unix_time(u32::MAX);
    }
}
