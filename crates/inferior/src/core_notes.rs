//! The notes of a core file: whose they are, and of which type. Source: `include/uapi/linux/elf.h`.

/// `elf_prstatus` of a thread.
pub(crate) const NT_PRSTATUS: u32 = 1;
/// `elf_prpsinfo` of the process.
pub(crate) const NT_PRPSINFO: u32 = 3;
/// The auxiliary vector.
pub(crate) const NT_AUXV: u32 = 6;
/// The mapped files.
pub(crate) const NT_FILE: u32 = 0x4649_4c45;
/// The name (`n_name`) of those that lastgasp itself writes, whose types are their writer's own.
pub(crate) const OWNER: &[u8] = b"lastgasp\0";
