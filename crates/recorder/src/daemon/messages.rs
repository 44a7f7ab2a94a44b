//! What the supervisor is told, and by what way.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use nix::sys::eventfd::EventFd;

use super::attach::Looked;
use super::settings::Settings;
use super::status::Status;
use crate::decide::pin_window::PinWindow;
use crate::watch::stop_reason::StopReason;
use crate::watch::target_watch::TargetWatch;

/// What the supervisor is told.
pub(crate) enum Message {
    /// A process was looked at.
    Looked(i32, Looked),
    /// A worker is done.
    Back(Box<TargetWatch>, StopReason),
    /// A worker has panicked; the watch of that process is gone with it.
    Lost(i32),
    /// The pin has been tried.
    PinProbed(PinWindow),
    /// A capture of a process whose goroutines seemed to leak was judged.
    LeakJudged {
        pid: i32,
        service: String,
        /// How many are leaked; none, and the capture is thrown away.
        leaked: Option<u64>,
    },
    /// Another configuration.
    Settings(Box<Settings>),
    /// Somebody wants to know.
    Status(Sender<Status>),
    /// It is over.
    Stop,
}

/// Puts messages before the supervisor.
#[derive(Clone, Debug)]
pub(crate) struct Inbox {
    pub(super) sender: Sender<Message>,
    pub(super) wakeup: Arc<EventFd>,
}

impl Inbox {
    pub(crate) fn send(&self, message: Message) {
        let _ = self.sender.send(message);
        let _ = self.wakeup.write(1);
    }
}
