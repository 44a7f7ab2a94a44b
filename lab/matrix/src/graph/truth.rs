//! What `lab/programs/heaps` says of itself.

use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct Truth {
    pub(super) heap_alloc: u64,
    pub(super) garbage: Amount,
    pub(super) types: Vec<Kind>,
    pub(super) owners: Vec<Owner>,
    pub(super) finalizers: Amount,
    pub(super) copies: Vec<Copies>,
    pub(super) not_copies: Vec<Collection>,
    pub(super) waste: Vec<Waste>,
    pub(super) thrifty: Vec<String>,
    pub(super) census: Vec<Collection>,
}

#[derive(Clone, Copy, Deserialize)]
pub(super) struct Amount {
    pub(super) objects: u64,
    pub(super) bytes: u64,
}

#[derive(Deserialize)]
pub(super) struct Kind {
    #[serde(rename = "type")]
    pub(super) name: String,
    pub(super) objects: u64,
    pub(super) bytes: u64,
}

#[derive(Deserialize)]
pub(super) struct Owner {
    pub(super) name: String,
    pub(super) objects: u64,
    pub(super) bytes: u64,
}

#[derive(Deserialize)]
pub(super) struct Copies {
    #[serde(rename = "type")]
    pub(super) name: String,
    pub(super) copies: u64,
    pub(super) elements: u64,
    /// Of all of them, with what they keep.
    pub(super) bytes: u64,
    /// Function whose goroutines hold one each; empty where variables do.
    pub(super) holder: String,
    pub(super) site: String,
}

#[derive(Deserialize)]
pub(super) struct Collection {
    pub(super) owner: String,
    #[serde(rename = "type")]
    pub(super) name: String,
    pub(super) elements: u64,
    /// Elements that there is room for; 0 where only the runtime knows.
    pub(super) room: u64,
}

#[derive(Deserialize)]
pub(super) struct Waste {
    pub(super) kind: String,
    pub(super) owner: String,
    /// The goroutines' function, where no variable owns it.
    pub(super) holder: String,
    #[serde(rename = "type")]
    pub(super) name: String,
    pub(super) count: u64,
    /// 0 where only the runtime knows.
    pub(super) kept: u64,
    pub(super) used: u64,
}
