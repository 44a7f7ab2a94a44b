//! Enums that are stored by name. A name that this version does not know is kept as it was read: a capture of
//! a later lastgasp is read, and written again, without loss.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, Error, Visitor};

/// Defines an enum of names, with `Unknown(String)` for all others. An empty name is the default.
macro_rules! named {
    ($(#[$doc:meta])* pub enum $enum:ident { $($(#[$of:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $enum {
            $($(#[$of])* $variant,)*
            /// A name that this version does not know, as it was read; empty: none was said.
            Unknown(String),
        }

        impl $enum {
            /// Name, as it is stored and as contracts have it.
            #[must_use]
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Unknown(name) => name,
                }
            }
        }

        impl From<&str> for $enum {
            fn from(name: &str) -> Self {
                match name {
                    $($name => Self::$variant,)*
                    name => Self::Unknown(name.to_owned()),
                }
            }
        }

        impl Default for $enum {
            fn default() -> Self {
                Self::Unknown(String::new())
            }
        }

        impl std::fmt::Display for $enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl serde::Serialize for $enum {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.name())
            }
        }

        impl<'de> serde::Deserialize<'de> for $enum {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                $crate::facts::named::from_name(from)
            }
        }
    };
}

pub(super) use named;

/// A value that is stored as its name.
pub(super) fn from_name<'de, D: Deserializer<'de>, T: for<'a> From<&'a str>>(from: D) -> Result<T, D::Error> {
    from.deserialize_str(Name(PhantomData))
}

struct Name<T>(PhantomData<T>);

impl<T: for<'a> From<&'a str>> Visitor<'_> for Name<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<T, E> {
        Ok(T::from(name))
    }
}
