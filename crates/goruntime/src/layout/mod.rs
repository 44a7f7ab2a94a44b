//! Where the fields of the runtime's structures stand, per Go minor. The tables (`go1_NN.rs`) are generated
//! by `cargo xtask layouts` from the DWARF of a program built with that release; `structures.rs` says which
//! fields the product needs.
//!
//! Invariant: what has no table is refused by name ([`for_version`]). Layouts are never guessed from a
//! neighbour.

use thiserror::Error;

use crate::version::GoVersion;

mod experiments;
mod go1_19;
mod go1_20;
mod go1_21;
mod go1_22;
mod go1_23;
mod go1_23_12;
mod go1_24;
mod go1_24_6;
mod go1_25;
mod go1_26;
mod go1_27;
mod structures;

pub use structures::*;

/// The tables that we have, oldest first.
static ALL: &[&Layout] = &[
    &go1_19::LAYOUT,
    &go1_20::LAYOUT,
    &go1_21::LAYOUT,
    &go1_22::LAYOUT,
    &go1_23::LAYOUT,
    &go1_23_12::LAYOUT,
    &go1_24::LAYOUT,
    &go1_24_6::LAYOUT,
    &go1_25::LAYOUT,
    &go1_26::LAYOUT,
    &go1_27::LAYOUT,
];

/// Why there is no table for a version.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unsupported {
    /// A minor that we do not have.
    #[error("this lastgasp reads Go 1.{oldest} to 1.{newest}; layouts are never guessed. Get a newer lastgasp, or add the minor with `cargo xtask layouts`", oldest = supported().0, newest = supported().1)]
    Minor,
    /// The runtime's structures changed within the minor, and the version does not say at which patch release
    /// it stands.
    #[error(
        "the runtime's structures changed within this minor, and this version names no patch release. Build with a released Go"
    )]
    Patch,
    /// Built with an experiment that moves what we read.
    #[error(
        "GOEXPERIMENT={name} moves what is read of the runtime ({fields}). Build without it, or add a table with `cargo xtask layouts`"
    )]
    Experiment {
        /// The experiment.
        name: &'static str,
        /// The first of the fields.
        fields: &'static str,
    },
}

/// The table that holds for a version.
///
/// # Errors
/// [`Unsupported`].
pub fn for_version(version: &GoVersion) -> Result<&'static Layout, Unsupported> {
    for name in version.experiments() {
        if let Some((_, name, fields)) = experiments::MOVING.iter().find(|(m, e, _)| *m == version.minor && *e == name)
        {
            return Err(Unsupported::Experiment { name, fields: fields.first().copied().unwrap_or("?") });
        }
    }
    let mut tables = ALL.iter().copied().filter(|l| l.minor == version.minor).rev().peekable();
    let newest = *tables.peek().ok_or(Unsupported::Minor)?;
    match version.patch() {
        Some(patch) => tables.find(|l| l.from_patch <= patch).ok_or(Unsupported::Patch),
        None if newest.from_patch == 0 => Ok(newest),
        None => Err(Unsupported::Patch),
    }
}

/// The table that Go 1.`minor` began with.
#[must_use]
pub fn for_minor(minor: u16) -> Option<&'static Layout> {
    ALL.iter().copied().find(|l| l.minor == minor)
}

/// Oldest and newest supported minor.
#[must_use]
pub fn supported() -> (u16, u16) {
    (ALL.first().map_or(0, |l| l.minor), ALL.last().map_or(0, |l| l.minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Result<(u16, u16), Unsupported> {
        for_version(&GoVersion::parse(text).unwrap()).map(|l| (l.minor, l.from_patch))
    }

    #[test]
    fn a_patch_release_that_changed_a_structure_has_a_table_of_its_own() {
        assert_eq!(table("go1.24.5"), Ok((24, 0)));
        assert_eq!(table("go1.24.6"), Ok((24, 6)));
        assert_eq!(table("go1.24.13 X:noswissmap"), Ok((24, 6)));
        assert_eq!(table("go1.24rc2"), Ok((24, 0)));
        assert_eq!(table("go1.23.12"), Ok((23, 12)));
        assert_eq!(table("devel go1.24-0a1b2c Tue"), Err(Unsupported::Patch));
        assert_eq!(table("devel go1.27-0a1b2c Tue"), Ok((27, 0)));
        assert_eq!(table("go1.20"), Ok((20, 0)));
        assert_eq!(table("go1.99.1"), Err(Unsupported::Minor));
    }

    #[test]
    fn experiments_that_move_a_field_are_refused_by_name() {
        for version in ["go1.25.0 X:staticlockranking", "go1.27.0-X:arenas,staticlockranking"] {
            let why = table(version).unwrap_err().to_string();
            assert!(why.contains("GOEXPERIMENT=staticlockranking"), "{why}");
        }
    }
}
