//! What the files of a process say: whether one is Go, of which release, and where its runtime stands. It is
//! read by a process that can be lost, which tells plain facts; whoever watches takes those from its word, as
//! foreign numbers are taken, and reads no byte of a file that a user wrote.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::wanted_constants::WantedConstants;
use lastgasp_goruntime::{BuildInfo, DiscoverError, Runtime, RuntimeLocation};
use lastgasp_inferior::{ElfImage, ImageError, ImageFacts, MappedFile, Memory, section_names};
use serde::{Deserialize, Serialize};

use super::discover::names_of_go;

/// Files of a process that are to be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Files {
    /// Its executable.
    Executable,
    /// Libraries that it has loaded, by what the kernel says of them.
    Libraries(Vec<MappedFile>),
}

/// Most libraries that are looked at in one go.
pub const MAX_LIBRARIES: usize = 16;

/// What a file is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileSays {
    /// It could not be opened: it is gone, or nobody may.
    Nothing,
    /// It is no Go program or library that was built with Go's own compiler since 1.18.
    Other,
    /// It is Go.
    Go(Box<GoFile>),
    /// It is Go, and cannot be read by us: why, with the cure.
    Unreadable(String),
}

/// A Go program or library.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GoFile {
    /// Its headers.
    pub image: ImageFacts,
    /// What the linker wrote of its build.
    pub build_info: BuildInfo,
    /// Where the runtime stands in it.
    pub runtime: Located,
}

impl GoFile {
    /// Whether that can be: who said it may have been led astray by the file. What is too long stays nowhere.
    #[must_use]
    pub fn can_be(&self) -> bool {
        let info = &self.build_info;
        let words = [&info.go_version, &info.path, &info.module.path, &info.module.version];
        let settings: usize = info.settings.iter().map(|(k, v)| k.len() + v.len()).sum();
        let names = |location: &RuntimeLocation| {
            location.variables.len() <= MAX_VARIABLES && location.variables.keys().all(|name| name.len() <= MAX_NAME)
        };
        words.iter().all(|word| word.len() <= MAX_WORD)
            && settings <= MAX_SETTINGS
            && self.image.can_be()
            && match &self.runtime {
                Located::At(location) => names(location),
                Located::NotYet(why) | Located::Refused(why) => why.len() <= MAX_WORD * 4,
            }
    }
}

/// Bytes of a word of the build information, and of all settings, that come back; the reader keeps fewer.
const MAX_WORD: usize = 4096;
const MAX_SETTINGS: usize = 128 << 10;
/// Variables of a runtime, and bytes of a name of one.
const MAX_VARIABLES: usize = 64;
const MAX_NAME: usize = 128;

/// Whether a runtime was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Located {
    /// There.
    At(RuntimeLocation),
    /// Not yet: the process may not have begun.
    NotYet(String),
    /// It is not to be read.
    Refused(String),
}

/// How long a runtime that has not begun is waited for.
const PATIENCE: Duration = Duration::from_millis(100);
/// Pause between two looks at it.
const PAUSE: Duration = Duration::from_millis(1);

/// What a file says. `name` is for people; `mem` is the memory of a process that has it loaded, `bias` as
/// much as its addresses are off there, by its headers. A runtime that has not begun is waited for so long.
pub fn inspect(
    file: File,
    name: &str,
    mem: &dyn Memory,
    bias: impl Fn(&ElfImage) -> u64,
    patience: Duration,
) -> FileSays {
    let again = file.try_clone();
    let image = match ElfImage::open(file, name) {
        Ok(image) => image,
        Err(ImageError::Io { .. }) => return FileSays::Nothing,
        // Of 32 bits, or for another processor: Go nevertheless.
        Err(why @ ImageError::Format { .. }) => {
            let is_go = again.is_ok_and(|file| names_of_go(&section_names(&file)));
            return if is_go { FileSays::Unreadable(why.to_string()) } else { FileSays::Other };
        }
    };
    let build_info = match Runtime::build_info(&image) {
        Ok(info) => info,
        Err(why @ (DiscoverError::Garbled { .. } | DiscoverError::Gccgo { .. })) => {
            return FileSays::Unreadable(why.to_string());
        }
        Err(_) => return FileSays::Other,
    };
    let runtime = located(&image, bias(&image), mem, patience);
    FileSays::Go(Box::new(GoFile { image: image.facts().to_be_told(), build_info, runtime }))
}

fn located(image: &ElfImage, bias: u64, mem: &dyn Memory, patience: Duration) -> Located {
    let began = Instant::now();
    loop {
        let found = Runtime::locate(image, bias, mem)
            .and_then(|location| Runtime::apply(image, bias, mem, &location).map(|_| location));
        match found {
            Ok(location) => return Located::At(location),
            Err(why @ DiscoverError::Unreadable { .. }) if began.elapsed() >= patience => {
                return Located::NotYet(why.to_string());
            }
            Err(DiscoverError::Unreadable { .. }) => std::thread::sleep(PAUSE),
            Err(why) => return Located::Refused(why.to_string()),
        }
    }
}

/// Why files of a process were not inspected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotInspected {
    /// There is no such process, or not any more.
    NoProcess,
    /// The kernel would not show it.
    Denied,
    /// This process is out of descriptors.
    OutOfDescriptors,
    /// Whoever looked was lost: how.
    Lost(String),
    /// Too many wait in front of it.
    Busy,
}

/// A file, and what it says.
#[derive(Debug)]
pub struct Inspected {
    /// The file, opened by whoever looked.
    pub file: Option<Arc<File>>,
    /// What it says.
    pub says: FileSays,
}

/// Who looks at files and memory of processes that anybody may have made: in a process that can be lost,
/// where there is one.
pub trait ForeignReader: Send + Sync + std::fmt::Debug {
    /// Looks at files of a process, in their order.
    ///
    /// # Errors
    /// [`NotInspected`].
    fn inspect(&self, pid: i32, files: &Files) -> Result<Vec<Inspected>, NotInspected>;

    /// The memory behind an open `/proc/PID/mem`, read by somebody who may be lost over it; `None`: there is
    /// nobody, and whoever asks reads by himself.
    ///
    /// # Errors
    /// The system's error.
    fn memory(&self, pid: i32, mem: Arc<File>) -> io::Result<Option<ForeignMemory>>;

    /// When a process whose memory did not answer is asked again, if that is later than now.
    fn silent_until(&self, _pid: i32) -> Option<Instant> {
        None
    }

    /// Who was lost over what they read.
    fn losses(&self) -> Losses {
        Losses::default()
    }
}

/// Workers that were lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// So many since the start.
    pub lost: u64,
    /// Of these so many have been killed and have not ended: they sleep in the kernel.
    pub stuck: u64,
    /// Whether these are so many that soon no more will be started.
    pub too_many: bool,
}

/// Memory that somebody else reads, who may take his time.
pub trait ReadByAnother: Memory + Send + Sync + std::fmt::Debug {
    /// Whoever is in a hurry wants what the asker holds: what is asked for now is given up, and all that is
    /// asked fails at once, until that is over.
    fn hurry(&self, hurry: bool);

    /// Whether somebody is.
    fn is_hurried(&self) -> bool;

    /// The processor time that others have spent on reading it so far.
    fn worked(&self) -> Duration;
}

/// Such memory, shared between who asks and who is in a hurry.
pub type ForeignMemory = Arc<dyn ReadByAnother>;

/// Looks in this process: for who is not asked by others, and has nobody to lose.
#[derive(Clone, Copy, Debug, Default)]
pub struct InThisProcess;

impl ForeignReader for InThisProcess {
    fn inspect(&self, pid: i32, files: &Files) -> Result<Vec<Inspected>, NotInspected> {
        let opened = OpenedFiles::open(pid, files)?;
        Ok(opened.inspect_all().into_iter().map(|(file, says)| Inspected { file: file.map(Arc::new), says }).collect())
    }

    fn memory(&self, _: i32, _: Arc<File>) -> io::Result<Option<ForeignMemory>> {
        Ok(None)
    }
}

/// Files of a process, opened and not read, with its memory.
#[derive(Debug)]
pub struct OpenedFiles {
    /// Its memory.
    pub mem: File,
    /// Its memory map.
    pub maps: File,
    /// The files, each with its name; `None` for what could not be opened.
    pub files: Vec<(Option<File>, String)>,
    /// What is known of where they stand.
    wanted: Files,
}

impl OpenedFiles {
    /// Opens them. That may not come to an end: their storage is somebody else's.
    ///
    /// # Errors
    /// [`NotInspected`].
    pub fn open(pid: i32, wanted: &Files) -> Result<Self, NotInspected> {
        let open = |what: &str| File::open(format!("/proc/{pid}/{what}")).map_err(|e| not_opened(&e));
        // Who may not read it is told that, with the cure, when it is to be watched: what its files say is
        // known by then.
        let or_nothing = |what: &str| match open(what) {
            Err(NotInspected::Denied) => File::open("/dev/null").map_err(|e| not_opened(&e)),
            opened => opened,
        };
        let (mem, maps) = (or_nothing("mem")?, or_nothing("maps")?);
        let files = match wanted {
            Files::Executable => vec![(Some(open("exe")?), format!("/proc/{pid}/exe"))],
            Files::Libraries(all) => all
                .iter()
                .take(MAX_LIBRARIES)
                .map(|library| match library.open() {
                    Ok(file) => Ok((Some(file), library.path.clone())),
                    Err(e) if not_opened(&e) == NotInspected::OutOfDescriptors => Err(NotInspected::OutOfDescriptors),
                    Err(_) => Ok((None, library.path.clone())),
                })
                .collect::<Result<_, _>>()?,
        };
        Ok(Self { mem, maps, files, wanted: wanted.clone() })
    }

    /// All files, memory and map first, and what is left without them.
    #[must_use]
    pub fn into_files(self) -> (Vec<File>, OpenedElsewhere) {
        let Self { mem, maps, files, wanted } = self;
        let names = files.iter().map(|(file, name)| (file.is_some(), name.clone())).collect();
        let all = [mem, maps].into_iter().chain(files.into_iter().filter_map(|(file, _)| file)).collect();
        (all, OpenedElsewhere { names, wanted })
    }

    /// Reads them: what each says.
    #[must_use]
    pub fn inspect_all(self) -> Vec<(Option<File>, FileSays)> {
        let memory = lastgasp_inferior::HandedMemory::new(self.mem);
        let maps = lastgasp_inferior::mappings_in(self.maps).unwrap_or_default();
        let look = |(i, (file, name)): (usize, (Option<File>, String))| {
            let Some(file) = file else { return (None, FileSays::Nothing) };
            let Ok(read) = file.try_clone() else { return (Some(file), FileSays::Nothing) };
            let bias = |image: &ElfImage| match &self.wanted {
                Files::Executable => lastgasp_inferior::bias_in(&maps, image),
                Files::Libraries(all) => all.get(i).and_then(|library| library.bias(image)).unwrap_or(0),
            };
            (Some(file), inspect(read, &name, &memory, bias, PATIENCE))
        };
        self.files.into_iter().enumerate().map(look).collect()
    }
}

/// What is known of opened files that are somewhere else.
#[derive(Debug)]
pub struct OpenedElsewhere {
    names: Vec<(bool, String)>,
    wanted: Files,
}

impl OpenedElsewhere {
    /// The files, in their order ([`OpenedFiles::into_files`]); `None` where there are too few.
    #[must_use]
    pub fn put(self, files: Vec<File>) -> Option<OpenedFiles> {
        let mut files = files.into_iter();
        let (mem, maps) = (files.next()?, files.next()?);
        let files = self.names.into_iter().map(|(there, name)| (if there { files.next() } else { None }, name));
        Some(OpenedFiles { mem, maps, files: files.collect(), wanted: self.wanted })
    }
}

fn not_opened(e: &io::Error) -> NotInspected {
    match e.kind() {
        io::ErrorKind::PermissionDenied => NotInspected::Denied,
        _ if crate::kernel::files::means_out_of_descriptors(e) => NotInspected::OutOfDescriptors,
        _ => NotInspected::NoProcess,
    }
}

/// A Go file whose processes can be watched.
#[derive(Clone, Debug)]
pub struct KnownBinary {
    /// Its file, opened once for all of them.
    pub file: Arc<File>,
    /// What it said.
    pub says: Arc<GoFile>,
    /// What looks at its processes ask for of its constants.
    pub constants: Arc<WantedConstants>,
}

impl KnownBinary {
    /// Its image, for one process.
    ///
    /// # Errors
    /// [`ImageError`]: what was said of it cannot be.
    pub fn image(&self, name: &str) -> Result<ElfImage, ImageError> {
        ElfImage::told(Arc::clone(&self.file), name, self.says.image.clone())
    }
}
