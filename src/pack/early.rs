//! Sends a file to the disk while more of it is made, so that there is little to wait for at its end.

use std::{
    fs::File,
    io::{self, Write},
    sync::mpsc::{SyncSender, sync_channel},
    thread::JoinHandle,
};

use crate::archive::Output;

/// How many bytes are written before the disk is asked to take them.
const STEP: usize = 32 << 20;

/// A file that is written from its beginning to its end.
pub(super) struct Early {
    file: File,
    waiting: usize,
    asked: SyncSender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl Early {
    pub(super) fn new(file: File) -> io::Result<Self> {
        let other = file.try_clone()?;
        let (asked, requests) = sync_channel(1);
        let thread = std::thread::spawn(move || requests.into_iter().try_for_each(|()| other.sync_data()));
        Ok(Self { file, waiting: 0, asked, thread })
    }

    /// The file itself.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Waits until everything is on the disk. The system tells of an error but once, here or in the thread.
    pub(super) fn finish(self) -> io::Result<()> {
        drop(self.asked);
        self.thread.join().map_err(|_| io::Error::other("a thread is gone"))??;
        self.file.sync_all()
    }
}

impl Write for Early {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.waiting += written;
        // When the disk is still busy with what came before, it is asked the next time.
        if self.waiting >= STEP && self.asked.try_send(()).is_ok() {
            self.waiting = 0;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Output for Early {
    fn overwrite_start(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.overwrite_start(bytes)
    }
}
