//! What the files of a process say, as a worker's task. It opens them, hands them back, gives up all that it
//! could do with them but reading, and reads. To open may take for ever where the storage is somebody's who
//! does not answer, and to read may lead astray: both cost this process.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::Arc;
use std::time::Instant;

use lastgasp_observe::target::inspect::{FileSays, Files, Inspected, MAX_LIBRARIES, NotInspected, OpenedFiles};

use crate::confine::Reach;
use crate::frame::MAX_RECEIVED;
use crate::message::{Cost, Order, Said};
use crate::process::{Heard, Worker};
use crate::serve::{obey, send_with};
use crate::task::AnyTask;

/// What a worker gives.
pub(crate) type Answer = Result<Vec<FileSays>, NotInspected>;

/// Inspects files, in a worker.
pub(crate) fn obey_inspect(order: Order<(i32, Files)>) -> Result<(), String> {
    let opened = match OpenedFiles::open(order.task.0, &order.task.1) {
        Ok(opened) => opened,
        Err(why) => {
            let answer: Answer = Err(why);
            let said = Said::Whole { answer, cost: Cost::so_far() };
            return send_with(&said, &[]).map_err(|e| e.to_string());
        }
    };
    let there: Vec<BorrowedFd<'_>> = opened.files.iter().filter_map(|(f, _)| Some(f.as_ref()?.as_fd())).collect();
    if there.len() > MAX_RECEIVED {
        return Err("more files than are ever asked for".into());
    }
    let files = opened.files.iter().map(|(f, _)| f.is_some()).collect();
    send_with(&Said::<Answer>::Opened { files }, &there).map_err(|e| e.to_string())?;
    drop(there);
    let (handed, rest) = opened.into_files();
    obey(order, handed, Reach::Descriptors, |_, handed, _| {
        let Some(opened) = rest.put(handed) else { return Said::Refused { why: "its files are gone".into() } };
        let answer: Answer = Ok(opened.inspect_all().into_iter().map(|(_, says)| says).collect());
        Said::Whole { answer, cost: Cost::so_far() }
    })
}

/// Has a worker that waits inspect files of a process.
pub(crate) fn inspect(mut worker: Worker<Answer>, pid: i32, files: &Files) -> Result<Vec<Inspected>, NotInspected> {
    let lost = |why: String| NotInspected::Lost(why);
    worker.give(&AnyTask::Inspect(pid, files.clone()), &[]).map_err(|e: io::Error| lost(e.to_string()))?;
    let mut opened: Option<Vec<bool>> = None;
    loop {
        match worker.hear(Instant::now() + std::time::Duration::from_secs(60)) {
            Heard::Said(Said::Opened { files }) if opened.is_none() => opened = Some(files),
            Heard::Said(Said::Ready) | Heard::Nothing => {}
            Heard::Said(Said::Whole { answer, .. }) => {
                return told(answer?, opened.unwrap_or_default(), worker.take_received(), files).map_err(lost);
            }
            Heard::Said(Said::Refused { why }) => return Err(lost(why)),
            Heard::Said(_) => return Err(lost("it said what nobody asked for".into())),
            Heard::Ended(end) => return Err(lost(format!("its worker ended by {end}"))),
        }
    }
}

/// What it said, with the files that it opened; why that cannot be, if so.
fn told(
    says: Vec<FileSays>,
    opened: Vec<bool>,
    received: Vec<std::os::fd::OwnedFd>,
    asked: &Files,
) -> Result<Vec<Inspected>, String> {
    let wanted = match asked {
        Files::Executable => 1,
        Files::Libraries(all) => all.len().min(MAX_LIBRARIES),
    };
    let count = opened.iter().filter(|there| **there).count();
    if says.len() != wanted || opened.len() != wanted || count != received.len() {
        return Err("its worker gave another number of answers than it was asked for".into());
    }
    let mut received = received.into_iter().map(|fd| Arc::new(File::from(fd)));
    let mut all = Vec::new();
    for (says, there) in says.into_iter().zip(opened) {
        let file = if there { received.next() } else { None };
        match &says {
            FileSays::Go(go) if file.is_none() || !go.can_be() => {
                return Err("its worker gave an answer that cannot be".into());
            }
            _ => {}
        }
        // The file of what is not Go is of no use to anybody.
        let file = file.filter(|_| matches!(says, FileSays::Go(_)));
        all.push(Inspected { file, says: bounded(says) });
    }
    Ok(all)
}

/// Its words, whatever their lengths.
fn bounded(says: FileSays) -> FileSays {
    match says {
        FileSays::Unreadable(why) => FileSays::Unreadable(why.chars().take(MAX_WHY).collect()),
        other => other,
    }
}

/// Most characters of a reason.
const MAX_WHY: usize = 1000;
