//! Feeds of changes: which are connected, and which are not. Absence of a feed is not absence of change.

use crate::facts::Facts;

/// Kinds of change that take a service down without a line of its own code being wrong.
const KINDS: [&str; 4] = ["releases", "configuration", "admin platforms", "dependencies and base platform"];

/// The last of [`KINDS`] where there is little room.
const DEPENDENCIES: &str = "dependencies";

/// A kind of change, and whether anything tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedState {
    /// Kind of change.
    pub name: String,
    /// Whether a feed was connected when the capture was taken.
    pub connected: bool,
    /// Where it comes from; or what to do without.
    pub detail: String,
}

impl FeedState {
    /// As in JSON, and on the page.
    #[must_use]
    pub fn state(&self) -> &'static str {
        if self.connected { "connected" } else { "NO FEED CONNECTED" }
    }

    /// Name where there is little room.
    #[must_use]
    pub fn short_name(&self) -> &str {
        if self.name.starts_with(DEPENDENCIES) { DEPENDENCIES } else { &self.name }
    }
}

/// Every known kind of change, then what else is connected.
#[must_use]
pub fn feeds(facts: &Facts) -> Vec<FeedState> {
    let connected = |name: &str| facts.feeds.iter().find(|f| f.name == name);
    let known = KINDS.iter().map(|name| match connected(name) {
        Some(feed) => FeedState { name: feed.name.clone(), connected: true, detail: feed.detail.clone() },
        None => FeedState {
            name: (*name).to_owned(),
            connected: false,
            detail: "lastgasp does not see these changes: ask whoever makes them".to_owned(),
        },
    });
    let others = facts.feeds.iter().filter(|f| !KINDS.contains(&f.name.as_str()));
    known.chain(others.map(|f| FeedState { name: f.name.clone(), connected: true, detail: f.detail.clone() })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Feed;

    #[test]
    fn what_is_not_connected_is_said() {
        assert!(feeds(&Facts::default()).iter().all(|f| f.state() == "NO FEED CONNECTED"));
        let feed = |name: &str| Feed { name: name.into(), detail: "from the cluster".into() };
        let got = feeds(&Facts { feeds: vec![feed("configuration"), feed("weather")], ..Facts::default() });
        let names: Vec<(&str, bool)> = got.iter().map(|f| (f.name.as_str(), f.connected)).collect();
        assert_eq!(
            names,
            [
                ("releases", false),
                ("configuration", true),
                ("admin platforms", false),
                ("dependencies and base platform", false),
                ("weather", true)
            ]
        );
    }
}
