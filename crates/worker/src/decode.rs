//! The facts of a capture, as a worker's task: it is handed the evidence, and the executable's file if that
//! is at hand. What is decoded are bytes that somebody else wrote, sized and linked as he liked; and the file
//! may stand on storage that has stopped to answer.

use std::fs::File;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lastgasp_decode::{Decoded, Provenance};
use lastgasp_diagnosis::Facts;
use lastgasp_inferior::{CoreFile, ElfImage, LoadedImage};
use lastgasp_observe::raw_capture::{Binary, RawCapture};
use nix::sys::memfd::{MFdFlags, memfd_create};
use serde::{Deserialize, Serialize};

use crate::confine::Reach;
use crate::message::{Cost, Order, Said};
use crate::process::{Heard, Worker};
use crate::serve::obey;
use crate::task::{AnyTask, DecodeTask};

/// What a worker gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answer {
    facts: Facts,
    monotonic_ns: u64,
    unix_ns: i64,
}

/// Decodes, in a worker.
pub(crate) fn obey_decode(order: Order<DecodeTask>, handed: Vec<File>) -> Result<(), String> {
    obey(order, handed, Reach::Descriptors, |task, handed, _| match made(task, handed) {
        Ok(answer) => Said::Whole { answer, cost: Cost::so_far() },
        Err(why) => Said::Refused { why },
    })
}

fn made(task: DecodeTask, handed: Vec<File>) -> Result<Answer, String> {
    let mut handed = handed.into_iter();
    let mut next = || handed.next().ok_or_else(|| "too few descriptors were handed to it".to_owned());
    let (evidence, executable) = (next()?, next()?);
    let DecodeTask { bias, image, lastgasp_version, kernel } = task;
    let image = ElfImage::told(Arc::new(executable), "its executable", image).map_err(|e| e.to_string())?;
    let core = CoreFile::open(evidence, "its evidence").map_err(|e| e.to_string())?;
    let raw = RawCapture::load(core).map_err(|e| e.to_string())?.raw;
    let raw = RawCapture { binary: Binary::of(Arc::new(LoadedImage { image, bias })), ..raw };
    let Decoded { facts, monotonic_ns, unix_ns } =
        lastgasp_decode::decode(&raw, &Provenance { lastgasp_version, kernel });
    Ok(Answer { facts, monotonic_ns, unix_ns })
}

/// Why a capture was not decoded by a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotDecoded {
    /// There was none for it, or nothing to hand to it: whoever asks decodes by himself.
    NoWorker(String),
    /// It was lost over it.
    Lost(String),
}

/// Has a worker that waits decode a capture.
pub(crate) fn decode(mut worker: Worker<Answer>, raw: &RawCapture, by: &Provenance) -> Result<Decoded, NotDecoded> {
    let no_worker = |e: std::io::Error| NotDecoded::NoWorker(e.to_string());
    let image = raw.binary.image().ok_or_else(|| NotDecoded::NoWorker("its executable is not at hand".into()))?;
    let evidence = memfd_create("evidence", MFdFlags::MFD_CLOEXEC).map_err(|e| no_worker(e.into()))?;
    // What it is handed cannot be written, and shares no place in the file with us.
    let handed = File::open(Path::new("/proc/self/fd").join(evidence.as_raw_fd().to_string())).map_err(no_worker)?;
    raw.save_for_decoding(File::from(evidence)).map_err(no_worker)?;
    let task = DecodeTask {
        bias: raw.binary.bias,
        image: image.facts().to_be_told(),
        lastgasp_version: by.lastgasp_version.clone(),
        kernel: by.kernel.clone(),
    };
    worker.give(&AnyTask::Decode(task), &[handed.as_fd(), image.file().as_fd()]).map_err(no_worker)?;
    let lost = NotDecoded::Lost;
    loop {
        match worker.hear(Instant::now() + Duration::from_secs(60)) {
            Heard::Said(Said::Ready) | Heard::Nothing => {}
            Heard::Said(Said::Whole { answer, .. }) => return checked(answer, raw).map_err(lost),
            Heard::Said(Said::Refused { why }) => return Err(lost(why)),
            Heard::Said(_) => return Err(lost("it said what nobody asked for".into())),
            Heard::Ended(end) => return Err(lost(format!("its worker ended by {end}"))),
        }
    }
}

/// The answer, if it is of that capture: foreign bytes may have led whoever gives it astray.
fn checked(answer: Answer, raw: &RawCapture) -> Result<Decoded, String> {
    let Answer { facts, monotonic_ns, unix_ns } = answer;
    let (target, capture) = (&facts.target, &facts.capture);
    let is_of_it = target.pid == raw.identity.pid
        && target.service == raw.identity.service
        && target.container == raw.identity.container
        && target.limit_bytes == raw.limit.as_ref().map(|l| l.0)
        && capture.phase.name() == raw.phase.name()
        && capture.stopped_ns == raw.stopped.as_nanos() as u64;
    if is_of_it {
        Ok(Decoded { facts, monotonic_ns, unix_ns })
    } else {
        Err("its worker gave facts of something else".into())
    }
}
