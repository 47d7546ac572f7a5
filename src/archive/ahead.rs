//! Reads a stream in a thread of its own, a few buffers ahead.

use std::{
    io::{self, BufRead, Read},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::JoinHandle,
};

/// The bytes of one buffer.
const BUFFER: usize = 256 << 10;
/// How many buffers are full and wait.
const BUFFERS: usize = 8;

/// A stream that is read ahead.
pub(super) struct Ahead {
    full: Option<Receiver<io::Result<Vec<u8>>>>,
    empty: SyncSender<Vec<u8>>,
    thread: Option<JoinHandle<()>>,
    buffer: Vec<u8>,
    at: usize,
}

impl Ahead {
    pub(super) fn new(mut stream: impl Read + Send + 'static) -> Self {
        let (to_reader, full) = sync_channel(BUFFERS);
        let (empty, from_reader) = sync_channel::<Vec<u8>>(BUFFERS + 2);
        let thread = std::thread::spawn(move || {
            loop {
                let mut buffer = from_reader.try_recv().unwrap_or_default();
                buffer.resize(BUFFER, 0);
                let filled = fill(&mut stream, &mut buffer);
                let last = !matches!(filled, Ok(filled) if filled > 0);
                let message = filled.map(|filled| {
                    buffer.truncate(filled);
                    buffer
                });
                // An empty buffer is the end. Nobody listens any more when the archive was given up.
                if to_reader.send(message).is_err() || last {
                    return;
                }
            }
        });
        Self { full: Some(full), empty, thread: Some(thread), buffer: Vec::new(), at: 0 }
    }
}

fn fill(stream: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match stream.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // What was read before is given first; the error comes again.
            Err(_) if filled > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

impl BufRead for Ahead {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.buffer.len()
            && let Some(full) = &self.full
        {
            let next = full.recv().map_err(|_| io::Error::from(io::ErrorKind::UnexpectedEof))?;
            let used = std::mem::replace(&mut self.buffer, next?);
            self.at = 0;
            // The thread may have come to its end.
            let _ = self.empty.try_send(used);
            if self.buffer.is_empty() {
                self.full = None;
            }
        }
        Ok(&self.buffer[self.at..])
    }

    fn consume(&mut self, amount: usize) {
        self.at += amount;
    }
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut available = self.fill_buf()?;
        let read = available.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.full = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has sent nothing, which was an error already.
            let _ = thread.join();
        }
    }
}
