//! Why a kind of an object is believed.

/// Why a kind is believed, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Trust {
    /// Nothing is.
    None,
    /// An interface's two words on a stack, which may be old; a slice that is the rest of an array.
    Stack,
    /// The program's code treats what leads there so.
    Code,
    /// A typed pointer leads there.
    Pointer,
    /// The code that allocated it names the type.
    Site,
    /// It says so itself: a channel its element, an interface the type of what it holds.
    Interface,
    /// The allocator noted it: a header, or the span.
    Header,
}

impl Trust {
    /// The one of a number, as `as u32` gave it.
    pub(super) fn of(number: u32) -> Self {
        match number {
            1 => Self::Stack,
            2 => Self::Code,
            3 => Self::Pointer,
            4 => Self::Site,
            5 => Self::Interface,
            6 => Self::Header,
            _ => Self::None,
        }
    }
}
