//! The pin: a thread of ours that is blocked inside `pread(/proc/PID/mem)`, so that the address space outlives a kill.
//!
//! The kernel holds a reference to the address space for the whole of that call (`mem_rw`, fs/proc/base.c, `mmget_not_zero`). Its destination is a page that
//! is registered with userfaultfd and never provided, so the call does not return. After an OOM kill the memory can then be read until the OOM reaper runs,
//! two seconds later; after another kill until we let go. The target notices nothing; if we die, the kernel ends the wait.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::num::NonZero;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::ptr::NonNull;
use std::thread::JoinHandle;

use lastgasp_inferior::Addr;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};

const PAGE: usize = 4096;
/// `linux/userfaultfd.h`.
const UFFD_API: u64 = 0xaa;
const UFFDIO_REGISTER_MODE_MISSING: u64 = 1;

#[repr(C)]
#[derive(Default)]
struct UffdioApi {
    api: u64,
    features: u64,
    ioctls: u64,
}

#[repr(C)]
#[derive(Default)]
struct UffdioRegister {
    start: u64,
    len: u64,
    mode: u64,
    ioctls: u64,
}

/// The two requests, in a module since nix's macro makes them public and gives them no documentation.
mod request {
    #![allow(missing_docs, unreachable_pub)]
    use super::{UffdioApi, UffdioRegister};

    nix::ioctl_readwrite!(uffdio_api, 0xaa, 0x3f, UffdioApi);
    nix::ioctl_readwrite!(uffdio_register, 0xaa, 0x00, UffdioRegister);
}

/// An address space that is held. Dropping lets go of it.
#[derive(Debug)]
pub struct Pin {
    faults: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Pin {
    /// Holds the address space behind `mem` (an open `/proc/PID/mem`); `readable` is any address in it that can be read.
    ///
    /// # Errors
    /// Where userfaultfd is not to be had: the text says the cure.
    pub fn hold(mem: File, readable: Addr) -> io::Result<Self> {
        let faults = open_userfaultfd()?;
        // SAFETY: a new private mapping of our own; nothing else knows its address.
        let page = unsafe {
            mmap_anonymous(
                None,
                NonZero::new(PAGE).ok_or(io::ErrorKind::InvalidInput)?,
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
                MapFlags::MAP_PRIVATE,
            )
        }?;
        let mut register = UffdioRegister {
            start: page.as_ptr() as u64,
            len: PAGE as u64,
            mode: UFFDIO_REGISTER_MODE_MISSING,
            ioctls: 0,
        };
        // SAFETY: `faults` is an open userfaultfd, `register` is the struct that this ioctl reads and writes.
        if let Err(e) = unsafe { request::uffdio_register(faults.as_raw_fd(), &raw mut register) } {
            unmap(page);
            return Err(e.into());
        }
        let destination = Destination(page);
        let thread = std::thread::Builder::new().name("pin".into()).stack_size(64 << 10).spawn(move || {
            let Destination(page) = { destination };
            // SAFETY: `page` is PAGE bytes of ours, mapped until `unmap` below. The call blocks on its first write to it, until `faults` is closed.
            unsafe { libc::pread(mem.as_raw_fd(), page.as_ptr(), 8, readable.0 as libc::off_t) };
            unmap(page);
        });
        match thread {
            Ok(thread) => Ok(Self { faults: Some(faults), thread: Some(thread) }),
            Err(e) => {
                unmap(page);
                Err(e)
            }
        }
    }

    /// Whether the thread still holds on (it does not if the first read failed).
    #[must_use]
    pub fn holds(&self) -> bool {
        self.thread.as_ref().is_some_and(|t| !t.is_finished())
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        // Closing it wakes the fault, which is then served like any other.
        self.faults = None;
        // The last reference to the address space may be dropped in that thread: freeing gigabytes takes a while, so nobody waits for it.
        self.thread = None;
    }
}

/// A page that is handed to the pin's thread.
struct Destination(NonNull<libc::c_void>);

// SAFETY: the page is used by the thread alone once it is handed over.
unsafe impl Send for Destination {}

fn unmap(page: NonNull<libc::c_void>) {
    // SAFETY: mapped by `Pin::hold` with this length, and no longer used by anyone.
    let _ = unsafe { munmap(page, PAGE) };
}

fn open_userfaultfd() -> io::Result<OwnedFd> {
    // SAFETY: a system call without pointers.
    let fd = unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC) };
    let Ok(fd) = i32::try_from(fd) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    if fd < 0 {
        let e = io::Error::last_os_error();
        let cure = "reading after a kill needs userfaultfd: CAP_SYS_PTRACE and, in a container, a seccomp profile that allows it";
        return Err(io::Error::new(e.kind(), format!("{e}: {cure}")));
    }
    // SAFETY: the kernel has just given us this descriptor.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    let mut api = UffdioApi { api: UFFD_API, ..UffdioApi::default() };
    // SAFETY: an open userfaultfd and the struct that this ioctl reads and writes.
    unsafe { request::uffdio_api(fd.as_raw_fd(), &raw mut api) }?;
    Ok(fd)
}

#[cfg(test)]
mod tests {
    use lastgasp_inferior::{LiveProcess, Memory as _, ReadCause};

    use super::*;

    /// The whole point: killed, and still readable; let go, and gone.
    #[test]
    fn memory_outlives_a_kill_as_long_as_it_is_pinned() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let live = LiveProcess::open(child.id() as i32).unwrap();
        let at = live.mappings().unwrap().first().unwrap().range.start;
        let before = live.u64(at).unwrap();
        let pin = match Pin::hold(live.mem_file().unwrap(), at) {
            Ok(pin) => pin,
            Err(e) => {
                eprintln!("SKIPPED: {e}");
                child.kill().unwrap();
                child.wait().unwrap();
                return;
            }
        };
        while !pin.holds() {
            std::thread::yield_now();
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(live.u64(at).unwrap(), before);
        drop(pin);
        for _ in 0..200 {
            if live.u64(at).is_err_and(|e| e.cause == ReadCause::Gone) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("the pin was not let go");
    }
}
