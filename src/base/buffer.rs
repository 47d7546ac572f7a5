//! Large buffers that threads use again, because to get one from the system for each of many small files takes longer
//! than to read the file.

use std::cell::Cell;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Gives `work` a buffer of `size` bytes, in which anything may stand. The thread keeps it for the next time.
pub fn with_buffer<T>(size: usize, work: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut buffer = BUFFER.take();
    if buffer.len() < size {
        buffer.resize(size, 0);
    }
    let done = work(&mut buffer[..size]);
    BUFFER.set(buffer);
    done
}
