//! Storage that does not answer: a FUSE file system of the test's own, whose files answer up to a place, and
//! never behind it. Whoever reads there sleeps in the kernel and cannot be killed until the file system ends.
#![allow(clippy::print_stderr)]

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A file of it.
#[derive(Clone, Debug)]
pub struct Silent {
    /// What stands in it.
    pub bytes: Vec<u8>,
    /// What stands from here on is never read.
    pub silent_from: u64,
}

/// The file system, mounted by root; unmounted, with an end for all who wait, when it is dropped.
#[derive(Debug)]
pub struct SilentStorage {
    folder: PathBuf,
    /// Whether an open is answered.
    opens: Arc<AtomicBool>,
    connection: Option<PathBuf>,
}

impl SilentStorage {
    /// Mounts it; `None`, loudly, where that cannot be.
    pub fn mount(folder: &Path, files: Vec<(&str, Silent)>) -> Option<Self> {
        std::fs::create_dir_all(folder).ok()?;
        let device = OpenOptions::new().read(true).write(true).open("/dev/fuse");
        let device = match device {
            Ok(device) => device,
            Err(e) => {
                eprintln!("SKIPPED: no FUSE here: {e}");
                return None;
            }
        };
        // The command's input, so that it has it and nobody else.
        let options = "fd=0,rootmode=40000,user_id=0,group_id=0,allow_other";
        // Before it is mounted: whoever mounts it looks at it.
        let opens = Arc::new(AtomicBool::new(true));
        let files = files.into_iter().map(|(name, file)| (name.to_owned(), file)).collect();
        let server = Server { device: device.try_clone().ok()?, files, opens: Arc::clone(&opens) };
        let mounting = Arc::new(AtomicBool::new(true));
        let wait = Arc::clone(&mounting);
        std::thread::spawn(move || server.serve(&wait));
        let mounted = Command::new("mount")
            .args(["-i", "-t", "fuse", "-o", options, "silent"])
            .arg(folder)
            .stdin(Stdio::from(device.try_clone().ok()?))
            .output();
        mounting.store(false, Ordering::SeqCst);
        match mounted {
            Ok(out) if out.status.success() => {}
            other => {
                eprintln!("SKIPPED: no FUSE file system can be mounted: {other:?}");
                return None;
            }
        }
        let mut storage = Self { folder: folder.to_owned(), opens, connection: None };
        // What stands there is asked of the server; its device is in the kernel's own list.
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let line = mounts.lines().find(|l| l.split(' ').nth(4) == folder.to_str());
        let minor = line.and_then(|l| l.split(' ').nth(2)?.split_once(':').map(|(_, minor)| minor.to_owned()));
        storage.connection = minor.map(|minor| Path::new("/sys/fs/fuse/connections").join(minor).join("abort"));
        Some(storage)
    }

    /// Where that file stands.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// From now on no open is answered.
    pub fn opens_no_more(&self) {
        self.opens.store(false, Ordering::SeqCst);
    }
}

impl Drop for SilentStorage {
    fn drop(&mut self) {
        // All who wait get an error.
        if let Some(abort) = &self.connection {
            let _ = Command::new("mount").args(["-t", "fusectl", "none", "/sys/fs/fuse/connections"]).output();
            let _ = std::fs::write(abort, "1");
        }
        let _ = Command::new("umount").arg("-l").arg(&self.folder).output();
    }
}

struct Server {
    device: File,
    files: BTreeMap<String, Silent>,
    opens: Arc<AtomicBool>,
}

const ENOENT: i32 = 2;
const ENOSYS: i32 = 38;

impl Server {
    /// Answers until the file system is unmounted.
    fn serve(mut self, mounting: &AtomicBool) {
        let mut buf = vec![0; 1 << 20];
        loop {
            let n = match self.device.read(&mut buf) {
                Ok(n) => n,
                // It is not mounted yet; or one that asked has gone meanwhile.
                Err(e) if e.raw_os_error() == Some(ENOENT) => continue,
                Err(_) if mounting.load(Ordering::SeqCst) => {
                    std::thread::sleep(std::time::Duration::from_millis(1));
                    continue;
                }
                Err(_) => return,
            };
            let request = buf.get(..n).unwrap_or_default();
            let field = |at: usize, len: usize| request.get(at..at + len).unwrap_or_default();
            let word = |at: usize| field(at, 4).try_into().map_or(0, u32::from_le_bytes);
            let long = |at: usize| field(at, 8).try_into().map_or(0, u64::from_le_bytes);
            let (opcode, unique, node) = (word(4), long(8), long(16));
            let body = request.get(40..).unwrap_or_default();
            let answer = match opcode {
                // INIT: version 7.31, as the kernel's is at least.
                26 => Ok([
                    7u32.to_le_bytes().as_slice(),
                    &31u32.to_le_bytes(),
                    &(128u32 << 10).to_le_bytes(),
                    &[0; 4],
                    &12u16.to_le_bytes(),
                    &9u16.to_le_bytes(),
                    &(128u32 << 10).to_le_bytes(),
                    &1u32.to_le_bytes(),
                    &[0; 36],
                ]
                .concat()),
                1 => {
                    let name = String::from_utf8_lossy(body.split(|b| *b == 0).next().unwrap_or_default()).into_owned();
                    match self.files.keys().position(|known| *known == name) {
                        Some(i) => {
                            let node = i as u64 + 2;
                            let times = [node, 0, 3600, 3600].map(u64::to_le_bytes).concat();
                            Ok([times, vec![0; 8], self.attr(node)].concat())
                        }
                        None => Err(ENOENT),
                    }
                }
                3 => Ok([3600u64.to_le_bytes().as_slice(), &[0; 8], &self.attr(node)].concat()),
                14 | 27 if node != 1 && !self.opens.load(Ordering::SeqCst) => continue,
                // FOPEN_KEEP_CACHE: to open it again does not wait for pages that somebody waits for.
                14 | 27 => Ok([vec![0; 8], 2u64.to_le_bytes().to_vec()].concat()),
                15 => {
                    let (offset, size) = (long(48), u64::from(word(56)));
                    let Some(file) = self.file(node) else { continue };
                    let end = (offset + size).min(file.bytes.len() as u64);
                    // Never.
                    if end > file.silent_from && offset < file.bytes.len() as u64 {
                        continue;
                    }
                    Ok(file.bytes.get(offset as usize..end as usize).unwrap_or_default().to_vec())
                }
                // FORGET, BATCH_FORGET and INTERRUPT want no answer.
                2 | 42 | 36 => continue,
                // FLUSH, RELEASE, RELEASEDIR.
                25 | 18 | 29 => Ok(Vec::new()),
                17 => Ok(vec![0; 80]),
                _ => Err(ENOSYS),
            };
            let (error, bytes) = match answer {
                Ok(bytes) => (0, bytes),
                Err(errno) => (-errno, Vec::new()),
            };
            let head = [(16 + bytes.len() as u32).to_le_bytes(), error.to_le_bytes()].concat();
            let out = [head.as_slice(), &unique.to_le_bytes(), &bytes].concat();
            // Who asked may be gone.
            let _ = self.device.write(&out);
        }
    }

    fn file(&self, node: u64) -> Option<&Silent> {
        self.files.values().nth(usize::try_from(node).ok()?.checked_sub(2)?)
    }

    fn attr(&self, node: u64) -> Vec<u8> {
        let size = self.file(node).map_or(0, |f| f.bytes.len() as u64);
        let mode: u32 = if node == 1 { 0o40755 } else { 0o100_755 };
        let longs = [node, size, size / 512, 0, 0, 0].map(u64::to_le_bytes).concat();
        let words = [0, 0, 0, mode, 1, 0, 0, 0, 4096, 0u32].map(u32::to_le_bytes).concat();
        [longs, words].concat()
    }
}
