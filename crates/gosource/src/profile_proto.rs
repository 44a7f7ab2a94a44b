//! Messages of pprof's `profile.proto`, for whoever reads or writes a profile. Source: google/pprof,
//! `proto/profile.proto`. What nobody here uses is left out; `lab/real` has messages of its own, for it
//! judges what is written with these.

use prost::Message;

/// A profile.
#[derive(Clone, PartialEq, Message)]
pub struct Profile {
    /// What each value of a sample is.
    #[prost(message, repeated, tag = "1")]
    pub sample_type: Vec<ValueType>,
    /// Stacks with their values.
    #[prost(message, repeated, tag = "2")]
    pub sample: Vec<Sample>,
    /// Executables.
    #[prost(message, repeated, tag = "3")]
    pub mapping: Vec<Mapping>,
    /// Places in the code.
    #[prost(message, repeated, tag = "4")]
    pub location: Vec<Location>,
    /// Functions.
    #[prost(message, repeated, tag = "5")]
    pub function: Vec<Function>,
    /// All strings; the first is empty.
    #[prost(string, repeated, tag = "6")]
    pub string_table: Vec<String>,
    /// When it was taken, in nanoseconds since 1970.
    #[prost(int64, tag = "9")]
    pub time_nanos: i64,
    /// Over how many nanoseconds; 0: a whole life.
    #[prost(int64, tag = "10")]
    pub duration_nanos: i64,
    /// What is sampled.
    #[prost(message, optional, tag = "11")]
    pub period_type: Option<ValueType>,
    /// Once in so much of it.
    #[prost(int64, tag = "12")]
    pub period: i64,
    /// Which value is shown first, as a string of the table.
    #[prost(int64, tag = "14")]
    pub default_sample_type: i64,
}

/// A kind of value.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct ValueType {
    /// Name, as a string of the table.
    #[prost(int64, tag = "1")]
    pub r#type: i64,
    /// Unit, as a string of the table.
    #[prost(int64, tag = "2")]
    pub unit: i64,
}

/// A stack with its values.
#[derive(Clone, PartialEq, Message)]
pub struct Sample {
    /// Places, innermost first.
    #[prost(uint64, repeated, tag = "1")]
    pub location_id: Vec<u64>,
    /// As many as there are sample types.
    #[prost(int64, repeated, tag = "2")]
    pub value: Vec<i64>,
    /// What else is said of it.
    #[prost(message, repeated, tag = "3")]
    pub label: Vec<Label>,
}

/// Something said of a sample.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Label {
    /// Name, as a string of the table.
    #[prost(int64, tag = "1")]
    pub key: i64,
    /// Text, as a string of the table; 0: none.
    #[prost(int64, tag = "2")]
    pub str: i64,
    /// Number.
    #[prost(int64, tag = "3")]
    pub num: i64,
}

/// An executable in memory.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Mapping {
    /// Number by which others name it; never 0.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// First address.
    #[prost(uint64, tag = "2")]
    pub memory_start: u64,
    /// Address after the last.
    #[prost(uint64, tag = "3")]
    pub memory_limit: u64,
    /// File, as a string of the table.
    #[prost(int64, tag = "5")]
    pub filename: i64,
    /// Build ID, as a string of the table.
    #[prost(int64, tag = "6")]
    pub build_id: i64,
    /// Whether functions are named.
    #[prost(bool, tag = "7")]
    pub has_functions: bool,
    /// Whether files are named.
    #[prost(bool, tag = "8")]
    pub has_filenames: bool,
    /// Whether lines are.
    #[prost(bool, tag = "9")]
    pub has_line_numbers: bool,
    /// Whether inlined calls are.
    #[prost(bool, tag = "10")]
    pub has_inline_frames: bool,
}

/// A place in the code.
#[derive(Clone, PartialEq, Message)]
pub struct Location {
    /// Number by which others name it; never 0.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// Executable; 0: none.
    #[prost(uint64, tag = "2")]
    pub mapping_id: u64,
    /// Address.
    #[prost(uint64, tag = "3")]
    pub address: u64,
    /// Line, or the inlined calls and their lines, innermost first.
    #[prost(message, repeated, tag = "4")]
    pub line: Vec<Line>,
}

/// A line of a function.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Line {
    /// Function.
    #[prost(uint64, tag = "1")]
    pub function_id: u64,
    /// Number of the line.
    #[prost(int64, tag = "2")]
    pub line: i64,
}

/// A function.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Function {
    /// Number by which others name it; never 0.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// Name, as a string of the table.
    #[prost(int64, tag = "2")]
    pub name: i64,
    /// Name as the linker has it, as a string of the table.
    #[prost(int64, tag = "3")]
    pub system_name: i64,
    /// File, as a string of the table.
    #[prost(int64, tag = "4")]
    pub filename: i64,
}
