//! What a heap graph of the dead may use.

use std::sync::{Arc, Mutex, PoisonError};

use lastgasp_worker::Limits;

/// What a graph may use, by the configuration of now; shared.
#[derive(Clone, Debug)]
pub(crate) struct GraphLimits(Arc<Mutex<Limits>>);

impl GraphLimits {
    pub(crate) fn new(limits: Limits) -> Self {
        Self(Arc::new(Mutex::new(limits)))
    }

    pub(crate) fn set(&self, limits: Limits) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    pub(crate) fn now(&self) -> Limits {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
