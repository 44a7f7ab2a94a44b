//! A profile in the making: strings and functions are written once and named by number.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use lastgasp_diagnosis::facts::Target;
use prost::Message as _;
use rustc_hash::FxHashMap;

use lastgasp_gosource::profile_proto::{Function, Line, Location, Mapping, Profile, Sample, ValueType};

/// A profile in the making.
pub(crate) struct Draft {
    profile: Profile,
    strings: FxHashMap<String, i64>,
    /// By name and file.
    functions: FxHashMap<(String, String), u64>,
}

impl Draft {
    /// One whose samples have values of these types, each with its unit.
    pub(crate) fn new(types: &[(&str, &str)], time_nanos: i64) -> Self {
        let profile = Profile { time_nanos, ..Profile::default() };
        let mut draft = Self { profile, strings: FxHashMap::default(), functions: FxHashMap::default() };
        // The first is empty.
        draft.string("");
        for kind in types {
            let kind = draft.kind(*kind);
            draft.profile.sample_type.push(kind);
        }
        draft
    }

    /// Says what is counted, one in how many, and the value that is shown first.
    pub(crate) fn counts(&mut self, what: (&str, &str), one_in: u64, first: &str) {
        self.profile.period_type = Some(self.kind(what));
        self.profile.period = i64::try_from(one_in).unwrap_or(0);
        self.profile.default_sample_type = self.string(first);
    }

    /// Says of which program it is, and where its code stands; 0 to 0 where no address is told.
    pub(crate) fn program(&mut self, target: &Target, code: (u64, u64)) {
        let mapping = Mapping {
            id: 1,
            memory_start: code.0,
            memory_limit: code.1,
            filename: self.string(&target.service),
            build_id: self.string(target.build_id.as_deref().unwrap_or("")),
            has_functions: true,
            has_filenames: true,
            has_line_numbers: true,
            has_inline_frames: true,
        };
        self.profile.mapping.push(mapping);
    }

    fn kind(&mut self, (name, unit): (&str, &str)) -> ValueType {
        ValueType { r#type: self.string(name), unit: self.string(unit) }
    }

    /// The number of a string.
    pub(crate) fn string(&mut self, s: &str) -> i64 {
        if let Some(i) = self.strings.get(s) {
            return *i;
        }
        let i = self.profile.string_table.len() as i64;
        self.profile.string_table.push(s.to_owned());
        self.strings.insert(s.to_owned(), i);
        i
    }

    /// The number of a function.
    pub(crate) fn function(&mut self, name: &str, file: &str) -> u64 {
        let key = (name.to_owned(), file.to_owned());
        if let Some(id) = self.functions.get(&key) {
            return *id;
        }
        let id = self.profile.function.len() as u64 + 1;
        let (name, filename) = (self.string(name), self.string(file));
        self.profile.function.push(Function { id, name, system_name: name, filename });
        self.functions.insert(key, id);
        id
    }

    /// A new place in the program, and its number: the function that is there, and those it is inlined into.
    pub(crate) fn location(&mut self, address: u64, line: Vec<Line>) -> u64 {
        let id = self.profile.location.len() as u64 + 1;
        self.profile.location.push(Location { id, mapping_id: 1, address, line });
        id
    }

    /// A sample: places by number, the innermost first, and a value of each type.
    pub(crate) fn sample(&mut self, sample: Sample) {
        self.profile.sample.push(sample);
    }

    /// The file. The same facts give the same bytes: the gzip header carries no time.
    pub(crate) fn file(&self) -> Vec<u8> {
        let mut gz = GzEncoder::new(Vec::new(), Compression::default());
        // Writing into a Vec cannot fail.
        let _ = gz.write_all(&self.profile.encode_to_vec());
        gz.finish().unwrap_or_default()
    }
}

/// A count as the format has it.
pub(crate) fn value(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
