//! The memory of a process by a descriptor that somebody else has opened: what a worker reads, who may open
//! nothing by himself.

use std::fs::File;
use std::io::IoSliceMut;
use std::os::unix::fs::FileExt as _;

use nix::errno::Errno;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

use crate::addr::Addr;
use crate::memory::{Memory, Part, ReadCause, ReadError};

/// Such memory. The descriptor is of `/proc/PID/mem` and is tied to the address space: it goes on working
/// when the process is dead, as long as somebody holds that.
#[derive(Debug)]
pub struct HandedMemory {
    mem: File,
    number: Option<i32>,
}

impl HandedMemory {
    /// Memory behind an open `/proc/PID/mem`.
    #[must_use]
    pub fn new(mem: File) -> Self {
        Self { mem, number: None }
    }

    /// The same of a process that stands still, which is read by its number too: `process_vm_readv` copies
    /// once where `/proc/PID/mem` copies twice. Whether it was that process all the time is asked afterwards
    /// ([`HandedMemory::is_there`]).
    #[must_use]
    pub fn by_number(self, pid: i32) -> Self {
        Self { number: Some(pid), ..self }
    }

    /// Whether the address space is still there; `at` is any address in it that can be read. As long as it
    /// is, its process's number is nobody else's.
    #[must_use]
    pub fn is_there(&self, at: Addr) -> bool {
        self.mem.read_at(&mut [0; 1], at.0).is_ok_and(|n| n == 1)
    }

    /// Whether all of it was read by number.
    fn read_by_number(&self, addr: Addr, buf: &mut [u8]) -> bool {
        let Some(pid) = self.number else { return false };
        let remote = [RemoteIoVec { base: addr.0 as usize, len: buf.len() }];
        let len = buf.len();
        process_vm_readv(Pid::from_raw(pid), &mut [IoSliceMut::new(buf)], &remote).is_ok_and(|n| n == len)
    }

    /// How many parts from the start are complete.
    fn read_parts_by_number(pid: i32, parts: &mut [Part<'_>]) -> usize {
        let remote: Vec<RemoteIoVec> =
            parts.iter().map(|p| RemoteIoVec { base: p.addr.0 as usize, len: p.buf.len() }).collect();
        let mut local: Vec<IoSliceMut<'_>> = parts.iter_mut().map(|p| IoSliceMut::new(p.buf)).collect();
        let Ok(mut bytes) = process_vm_readv(Pid::from_raw(pid), &mut local, &remote) else { return 0 };
        let mut done = 0;
        for p in parts.iter_mut() {
            let Some(left) = bytes.checked_sub(p.buf.len()) else { break };
            (bytes, p.ok) = (left, true);
            done += 1;
        }
        done
    }
}

/// Less than this is read by the descriptor: the second copy costs nothing there, and it cannot be another
/// process's.
const BY_NUMBER_FROM: usize = 16 << 10;
/// Pieces that the kernel takes in one call, at most 1024.
const MAX_PIECES: usize = 512;

impl Memory for HandedMemory {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        if buf.len() >= BY_NUMBER_FROM && self.read_by_number(addr, buf) {
            return Ok(());
        }
        read_by(&self.mem, addr, buf)
    }

    fn shared(&self) -> Option<&(dyn Memory + Sync)> {
        Some(self)
    }

    fn read_parts(&self, parts: &mut [Part<'_>]) {
        let mut rest = parts;
        while !rest.is_empty() {
            let (batch, tail) = rest.split_at_mut(rest.len().min(MAX_PIECES));
            let done = self.number.map_or(0, |pid| Self::read_parts_by_number(pid, batch));
            for p in batch.iter_mut().skip(done) {
                p.ok = self.read(p.addr, p.buf).is_ok();
            }
            rest = tail;
        }
    }
}

/// Reads through an open `/proc/PID/mem`.
pub(crate) fn read_by(mem: &File, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
    let len = buf.len();
    let mut done = 0;
    while done < len {
        let Some(rest) = buf.get_mut(done..) else { break };
        match mem.read_at(rest, addr.0.saturating_add(done as u64)) {
            // It reads as an empty file once the last user of the address space is gone.
            Ok(0) => return Err(ReadError { addr, len, cause: ReadCause::Gone }),
            Ok(n) => done += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => {
                let cause = e.raw_os_error().map_or(ReadCause::Absent, |n| cause(Errno::from_raw(n)));
                return Err(ReadError { addr, len, cause });
            }
        }
    }
    Ok(())
}

fn cause(e: Errno) -> ReadCause {
    match e {
        // EIO: the mapping is absent, or the OOM reaper has taken the pages (MMF_UNSTABLE). EFAULT:
        // process_vm_readv's word for absent.
        Errno::EIO | Errno::EFAULT => ReadCause::Absent,
        Errno::ESRCH => ReadCause::Gone,
        Errno::EPERM | Errno::EACCES => ReadCause::Denied,
        e => ReadCause::Os(e as i32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_by_number_and_by_descriptor() {
        let bytes: Vec<u8> = (0..BY_NUMBER_FROM * 3).map(|i| i as u8).collect();
        let at = Addr(bytes.as_ptr() as u64);
        let open = || HandedMemory::new(File::open("/proc/self/mem").unwrap());
        for memory in [open(), open().by_number(std::process::id() as i32), open().by_number(i32::MAX)] {
            let mut got = vec![0; bytes.len()];
            memory.read(at, &mut got).unwrap();
            assert_eq!(got, bytes);
            let (mut a, mut b, mut c) = ([0; 8], [0; 8], [0; 8]);
            let mut parts = [
                Part { addr: at, buf: &mut a, ok: false },
                Part { addr: Addr(1), buf: &mut b, ok: false },
                Part { addr: at.plus(8), buf: &mut c, ok: false },
            ];
            memory.read_parts(&mut parts);
            assert_eq!(parts.iter().map(|p| p.ok).collect::<Vec<_>>(), [true, false, true]);
            assert_eq!((&a[..], &c[..]), (&bytes[..8], &bytes[8..16]));
            assert!(memory.is_there(at) && !memory.is_there(Addr(8)));
            assert_eq!(memory.u64(Addr(8)).unwrap_err().cause, ReadCause::Absent);
        }
    }
}
