//! The pin: a thread of ours that is blocked inside `pread(/proc/PID/mem)`, so that the address space
//! outlives a kill.
//!
//! The kernel holds a reference to the address space for the whole of that call (`mem_rw`, fs/proc/base.c,
//! `mmget_not_zero`). Its destination is a page that is registered with userfaultfd and not provided, so the
//! call does not return. After an OOM kill the memory can then be read until the OOM reaper runs, two seconds
//! later; after another kill until we let go. The target notices nothing; if we die, the kernel ends the
//! wait.
//!
//! The wait can be interrupted, and a read of the kernel's cannot be left for that: whatever wants a word
//! with the thread (a debugger, SIGSTOP, live patching of the kernel; seen with `strace -f -p`) leaves it
//! waiting in a loop that never sleeps, a whole core for each pin. Only to provide the page ends that: the
//! thread comes back, is stopped or patched as it should be, and holds on again (`provide`). The watchdog
//! sees to it, as we may be stopped ourselves.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::num::NonZero;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use lastgasp_inferior::{Addr, page_size};
use nix::errno::Errno;
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap_anonymous, munmap};
use nix::sys::signal::SigSet;

use crate::guard::{Panicked, spawn_guarded};

/// As many address spaces as can be held at a time. Only room for addresses: no memory.
const MAX_PINS: usize = 4096;
/// Pages of half a page table.
const PIECE: usize = 256;
/// Of a pin's thread, for whoever looks for them.
pub(crate) const THREAD: &str = "pin";
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

#[repr(C)]
#[derive(Default)]
struct UffdioZeropage {
    start: u64,
    len: u64,
    mode: u64,
    provided: i64,
}

/// The requests, in a module since nix's macro makes them public and gives them no documentation.
mod request {
    #![allow(missing_docs, unreachable_pub)]
    use super::{UffdioApi, UffdioRegister, UffdioZeropage};

    nix::ioctl_readwrite!(uffdio_api, 0xaa, 0x3f, UffdioApi);
    nix::ioctl_readwrite!(uffdio_register, 0xaa, 0x00, UffdioRegister);
    nix::ioctl_readwrite!(uffdio_zeropage, 0xaa, 0x04, UffdioZeropage);
}

/// An address space that is held. Dropping lets go of it.
#[derive(Debug)]
pub(crate) struct Pin {
    pages: Arc<Pages>,
    page: usize,
    done: Arc<AtomicBool>,
    thread: JoinHandle<Result<(), Panicked>>,
}

impl Pin {
    /// Holds the address space behind `mem` (an open `/proc/PID/mem`); `readable` is any address in it that
    /// can be read.
    ///
    /// # Errors
    /// Where userfaultfd is not to be had: the text says the cure.
    pub(crate) fn hold(mem: Arc<File>, readable: Addr) -> io::Result<Self> {
        let pages = Pages::of_this_process()?;
        let page = pages.take().ok_or_else(|| io::Error::other(format!("{MAX_PINS} processes are held already")))?;
        let done = Arc::new(AtomicBool::new(false));
        let (of_thread, stop) = (Arc::clone(&pages), Arc::clone(&done));
        let thread = spawn_guarded(THREAD, 64 << 10, move || {
            // What is sent to the process is for other threads.
            let _ = SigSet::all().thread_block();
            // In this order: what is provided to end the wait must not be taken away again before the next
            // one.
            while of_thread.empty(page) && !stop.load(Ordering::SeqCst) && of_thread.read_into(page, &mem, readable) {}
            // With the end of a read the last reference to the address space may go, and gigabytes be freed,
            // on this thread. The descriptor, which others have too, holds none of its memory
            // (fs/proc/base.c, `proc_mem_open`).
            drop(mem);
            of_thread.give_back(page);
        });
        match thread {
            Ok(thread) => Ok(Self { pages, page, done, thread }),
            Err(e) => {
                pages.give_back(page);
                Err(e)
            }
        }
    }

    /// Whether the thread still holds on (it does not if a read failed: the process had ended).
    #[must_use]
    pub(crate) fn holds(&self) -> bool {
        !self.thread.is_finished()
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.done.store(true, Ordering::SeqCst);
        // Nobody waits for the thread: freeing gigabytes takes a while.
        self.pages.provide(self.page);
    }
}

/// The pages of this process that are not provided, one for each pin, and the userfaultfd that they wait for.
#[derive(Debug)]
pub(crate) struct Pages {
    faults: OwnedFd,
    first: NonNull<libc::c_void>,
    free: Mutex<Vec<usize>>,
}

// SAFETY: each page is written by the one thread that has taken it, and `first` never changes.
unsafe impl Send for Pages {}
// SAFETY: as above.
unsafe impl Sync for Pages {}

impl Pages {
    /// The one of this process; made when it is first asked for.
    pub(crate) fn of_this_process() -> io::Result<Arc<Self>> {
        static ONE: Mutex<Option<Arc<Pages>>> = Mutex::new(None);
        let mut one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pages) = &*one {
            return Ok(Arc::clone(pages));
        }
        Ok(Arc::clone(one.insert(Arc::new(Self::new()?))))
    }

    fn new() -> io::Result<Self> {
        let faults = open_userfaultfd()?;
        let len = NonZero::new(MAX_PINS * page_bytes()).ok_or(io::ErrorKind::InvalidInput)?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new private mapping of our own; nothing else knows its address.
        let first = unsafe { mmap_anonymous(None, len, protection, MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE) }?;
        let mut register = UffdioRegister {
            start: first.as_ptr() as u64,
            len: len.get() as u64,
            mode: UFFDIO_REGISTER_MODE_MISSING,
            ioctls: 0,
        };
        // SAFETY: `faults` is an open userfaultfd, `register` is the struct that this ioctl reads and writes.
        if let Err(e) = unsafe { request::uffdio_register(faults.as_raw_fd(), &raw mut register) } {
            // SAFETY: mapped above with this length, and nobody uses it.
            let _ = unsafe { munmap(first, len.get()) };
            return Err(e.into());
        }
        let pages = Self { faults, first, free: Mutex::new((0..MAX_PINS).rev().collect()) };
        // To let go must not need memory: the page tables are made now. Taken back in pieces, since of a
        // whole one of theirs the kernel would free the table too.
        provide(pages.as_fd(), pages.range().0, pages.range().1);
        for page in (0..MAX_PINS).step_by(PIECE) {
            // SAFETY: pages of our mapping that nobody uses yet.
            unsafe { madvise(pages.at(page), PIECE * page_bytes(), MmapAdvise::MADV_DONTNEED) }?;
        }
        Ok(pages)
    }

    /// Where they begin, and how many bytes they are.
    pub(crate) fn range(&self) -> (u64, u64) {
        (self.first.as_ptr() as u64, (MAX_PINS * page_bytes()) as u64)
    }

    fn take(&self) -> Option<usize> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn give_back(&self, page: usize) {
        self.empty(page);
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(page);
    }

    fn at(&self, page: usize) -> NonNull<libc::c_void> {
        // SAFETY: `page` is below MAX_PINS, so the address is in our mapping.
        unsafe { self.first.byte_add(page * page_bytes()) }
    }

    /// Takes what was provided away again. True, as far as a system call can be.
    fn empty(&self, page: usize) -> bool {
        // SAFETY: a page of our mapping that only the calling thread uses, and that it does not read.
        unsafe { madvise(self.at(page), page_bytes(), MmapAdvise::MADV_DONTNEED) }.is_ok()
    }

    /// Blocks until the page is provided; gives whether the read was done then.
    fn read_into(&self, page: usize, mem: &File, from: Addr) -> bool {
        // SAFETY: a page of our mapping that only the calling thread uses. The call blocks on its first write
        // to it.
        unsafe { libc::pread(mem.as_raw_fd(), self.at(page).as_ptr(), 8, from.0 as libc::off_t) > 0 }
    }

    fn provide(&self, page: usize) {
        provide(self.faults.as_fd(), self.at(page).as_ptr() as u64, page_size());
    }
}

impl AsFd for Pages {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.faults.as_fd()
    }
}

/// Ends all waits for pages in that range, each a moment later begun again by a thread that is well. `faults`
/// is the userfaultfd of any process.
pub(crate) fn provide(faults: BorrowedFd<'_>, start: u64, len: u64) {
    let end = start + len;
    let mut at = start;
    let mut again = 0;
    while at < end {
        let mut request = UffdioZeropage { start: at, len: end - at, mode: 0, provided: 0 };
        // SAFETY: the struct that this ioctl reads and writes; of a descriptor that is no userfaultfd it is
        // refused.
        match unsafe { request::uffdio_zeropage(faults.as_raw_fd(), &raw mut request) } {
            Ok(_) => return,
            // Done so far; or the address space is just changing.
            Err(Errno::EAGAIN) if request.provided > 0 => at += request.provided.unsigned_abs(),
            Err(Errno::EAGAIN) if again < 1000 => again += 1,
            // Provided already.
            Err(Errno::EEXIST) => at += page_size(),
            Err(_) => return,
        }
    }
}

/// Bytes of a page.
fn page_bytes() -> usize {
    page_size() as usize
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

    /// Each must see the threads of its own pins alone.
    static TURN: Mutex<()> = Mutex::new(());

    /// The whole point: killed, and still readable; let go, and gone.
    #[test]
    fn memory_outlives_a_kill_as_long_as_it_is_pinned() {
        let _turn = TURN.lock();
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let live = LiveProcess::open(child.id() as i32).unwrap();
        let at = live.mappings().unwrap().first().unwrap().range.start;
        let before = live.u64(at).unwrap();
        let pin = match Pin::hold(live.mem_shared(), at) {
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

    /// Processor time of all threads that hold.
    fn spent() -> std::time::Duration {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten().map(|t| t.path());
        let of = |task: std::path::PathBuf| {
            let name = std::fs::read_to_string(task.join("comm")).ok()?;
            let text = std::fs::read_to_string(task.join("schedstat")).ok()?;
            (name.trim() == THREAD).then_some(text.split(' ').next()?.parse::<u64>().ok()?)
        };
        std::time::Duration::from_nanos(tasks.filter_map(of).sum())
    }

    /// What wants a word with the thread has it turn in a loop; to provide its page ends that, and it holds
    /// on.
    #[test]
    fn an_interrupted_wait_is_ended_and_begun_again() {
        let _turn = TURN.lock();
        let Ok(pages) = Pages::of_this_process() else { return println!("SKIPPED: no userfaultfd") };
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let live = LiveProcess::open(child.id() as i32).unwrap();
        let at = live.mappings().unwrap().first().unwrap().range.start;
        let pin = Pin::hold(live.mem_shared(), at).unwrap();
        let nap = || std::thread::sleep(std::time::Duration::from_millis(300));
        nap();
        // A debugger: a process of its own, since nobody can trace threads of his own process.
        let tid = std::fs::read_dir("/proc/self/task").unwrap().flatten().find_map(|t| {
            let name = std::fs::read_to_string(t.path().join("comm")).ok()?;
            (name.trim() == THREAD).then(|| t.file_name().into_string().unwrap())
        });
        let tid = tid.unwrap();
        // SAFETY: the child makes system calls alone, and ends.
        let debugger = unsafe { libc::fork() };
        if debugger == 0 {
            // SAFETY: system calls without pointers; the tracer ends with the process.
            unsafe {
                let tid: libc::pid_t = tid.parse().unwrap_or(0);
                libc::ptrace(libc::PTRACE_SEIZE, tid, 0, 0);
                libc::ptrace(libc::PTRACE_INTERRUPT, tid, 0, 0);
                libc::usleep(100_000);
                libc::_exit(0);
            }
        }
        // SAFETY: our child.
        unsafe { libc::waitpid(debugger, std::ptr::null_mut(), 0) };
        let before = spent();
        nap();
        let turning = spent() - before;
        provide(pages.as_fd(), pages.range().0, pages.range().1);
        nap();
        let before = spent();
        nap();
        let ended = spent() - before;
        println!("{turning:?} in 300 ms, then {ended:?}");
        assert!(ended < turning / 10 && turning > std::time::Duration::from_millis(20), "{turning:?}, {ended:?}");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(pin.holds() && live.u64(at).is_ok(), "it holds again");
    }
}
