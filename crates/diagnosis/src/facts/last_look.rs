//! What the profile held when it was last looked at: all that is known of who held memory where nothing of a
//! dead process could be copied. It is not of the death: rules leave it alone, and reports say how old it is.

use serde::{Deserialize, Serialize};

use super::bounded::{MAX_FEW, at_most};
use super::memory::Gc;
use super::profile::Site;

/// The last look at the profile before a death without evidence.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LastLook {
    /// When, in milliseconds on the timeline's clock.
    pub t_ms: u64,
    /// The runtime's gauges then.
    pub gc: Gc,
    /// The sites that held most then, the largest first; `current` is what they held.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub sites: Vec<Site>,
}
