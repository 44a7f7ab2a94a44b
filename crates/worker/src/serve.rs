//! A worker, from inside: it is told what to do, gives up what it does not need, does it, and answers.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::confine::{Reach, belong_to, confine};
use crate::frame::{Inbox, MAX_HANDED, MAX_RECEIVED, framed};
use crate::hurry::Hurry;
use crate::message::{Order, Said, parse, send};

/// Longest order, in bytes.
const MAX_ORDER: usize = 192 << 10;

/// The line to whoever gave the order.
#[derive(Debug)]
pub(crate) struct Line(File, Option<Hurry>);

impl Line {
    /// Itself, for who has something else to say.
    #[cfg(test)]
    pub(crate) fn file(&self) -> &File {
        &self.0
    }

    /// Says something. That nobody hears it ends the work soon enough.
    pub(crate) fn say<A: Serialize>(&self, said: &Said<A>) {
        if send(&self.0, said).is_err() {
            std::process::exit(1);
        }
    }

    /// Says bytes that are framed already; whether somebody hears them.
    pub(crate) fn send(&self, framed: &[u8]) -> bool {
        (&self.0).write_all(framed).is_ok()
    }

    /// Nothing has to be read any more: others are not to wait for the rest.
    pub(crate) fn no_hurry(&self) {
        if let Some(hurry) = &self.1 {
            hurry.end();
        }
    }

    /// Waits for the word to begin; `false`: there is nobody any more.
    pub(crate) fn wait_for_the_word(&self) -> bool {
        (&self.0).read(&mut [0; 1]).is_ok_and(|n| n == 1)
    }
}

/// Hears one order and does it: `reach` says what of a process it reads by number, `work` does it and gives
/// what it says last. Gives why there was no order to do, if so.
#[cfg(test)]
pub(crate) fn serve<T: DeserializeOwned, A: Serialize>(
    reach: impl FnOnce(&T) -> Reach,
    work: impl FnOnce(T, Vec<File>, &Line) -> Said<A>,
) -> Result<(), String> {
    let (order, handed) = first_order::<T>()?;
    let reach = reach(&order.task);
    obey(order, handed, reach, work)
}

/// The order that it was started for, with descriptors, from who has started it.
pub(crate) fn first_order<T: DeserializeOwned>() -> Result<(Order<T>, Vec<File>), String> {
    let (order, handed) = hear::<Order<T>>().map_err(|e| format!("no order was heard: {e}"))?;
    belong_to(order.parent).map_err(|e| e.to_string())?;
    Ok((order, handed))
}

/// Gives up all but those files and its line, says so, and does an order.
pub(crate) fn obey<T, A: Serialize>(
    order: Order<T>,
    handed: Vec<File>,
    reach: Reach,
    work: impl FnOnce(T, Vec<File>, &Line) -> Said<A>,
) -> Result<(), String> {
    let file = std::io::stdin().as_fd().try_clone_to_owned().map(File::from).map_err(|e| e.to_string())?;
    let line = Line(file, Hurry::inherited());
    let session = line.1.as_ref().and_then(Hurry::file).map(AsFd::as_fd);
    let written: Vec<BorrowedFd<'_>> = [line.0.as_fd()].into_iter().chain(session).collect();
    let kept: Vec<BorrowedFd<'_>> = handed.iter().map(AsFd::as_fd).chain(written.iter().copied()).collect();
    if let Err(e) = confine(&order.limits, &kept, &written, reach) {
        line.say(&Said::<A>::Refused { why: format!("it could not be confined: {e}") });
        return Ok(());
    }
    line.say(&Said::<A>::Ready);
    let said = catch_unwind(AssertUnwindSafe(|| work(order.task, handed, &line)));
    line.say(&said.unwrap_or_else(|panic| Said::Refused { why: format!("it panicked: {}", words(&*panic)) }));
    Ok(())
}

/// Sends a message with descriptors up the line, before anything is given up.
pub(crate) fn send_with<A: Serialize>(said: &Said<A>, handed: &[BorrowedFd<'_>]) -> io::Result<()> {
    let bytes = framed(&serde_json::to_vec(said)?).ok_or(io::ErrorKind::InvalidData)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_RECEIVED))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !handed.is_empty() && !control.push(SendAncillaryMessage::ScmRights(handed)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let line = io::stdin();
    let sent = sendmsg(&line, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL)?;
    // A short message in an empty buffer goes whole.
    if sent == bytes.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

/// The next piece of the same work, with a descriptor; `None` where there is nobody any more. What it is told
/// is bounded as an order is.
pub(crate) fn next_piece(inbox: &mut Inbox) -> io::Result<Option<(Vec<u8>, Vec<File>)>> {
    let (line, mut handed) = (io::stdin(), Vec::new());
    loop {
        if let Some(piece) = inbox.take().map_err(io::Error::other)? {
            return Ok(Some((piece, handed)));
        }
        let mut piece = [0; 16 << 10];
        match receive(&line, &mut piece, &mut handed)? {
            0 => return Ok(None),
            n => inbox.push(piece.get(..n).unwrap_or_default()),
        }
    }
}

fn receive(line: &io::Stdin, piece: &mut [u8], handed: &mut Vec<File>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_HANDED))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let got = recvmsg(line, &mut [IoSliceMut::new(piece)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(all) = message {
            handed.extend(all.map(File::from));
        }
    }
    Ok(got.bytes)
}

/// The order on standard input, and the descriptors that came with it.
fn hear<T: DeserializeOwned>() -> io::Result<(T, Vec<File>)> {
    let (line, mut inbox, mut handed) = (io::stdin(), Inbox::default(), Vec::new());
    let mut heard = 0;
    while heard < MAX_ORDER {
        let mut piece = [0; 4096];
        let n = receive(&line, &mut piece, &mut handed)?;
        if n == 0 {
            break;
        }
        heard += n;
        inbox.push(piece.get(..n).unwrap_or_default());
        if let Some(order) = inbox.take().map_err(io::Error::other)? {
            return Ok((parse(&order)?, handed));
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

/// What a panic said.
fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without words".into())
}
