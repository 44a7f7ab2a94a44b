//! Stored facts, whatever their age: those of before become what is written now, and of those that a later
//! lastgasp has written everything is read that this one knows.
//!
//! `lastgasp.facts/1` has pairs and triples where `/2` has structs (gaps, module, commit; they read the
//! same), no keys, no goroutines one by one, and no series.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::capture::Gap;
use super::whole::{Facts, SCHEMA};

/// Name of the form, before its version.
const NAME: &str = "lastgasp.facts/";
/// Version of the form that is written now.
const CURRENT: u32 = 2;
/// Most fields of a struct that are looked at one by one; ours have some twenty.
const MAX_FIELDS: usize = 256;

/// Why stored facts could not be read.
#[derive(Debug)]
pub enum FactsError {
    /// What is wrong with the text, and in which line and column.
    Json(serde_json::Error),
    /// They are no facts of lastgasp's, but of this schema.
    OtherSchema(String),
}

impl std::fmt::Display for FactsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Json(e) => e.fmt(f),
            Self::OtherSchema(schema) => write!(f, "the schema is {schema:?}, and not {NAME}N"),
        }
    }
}

impl std::error::Error for FactsError {}

impl From<serde_json::Error> for FactsError {
    fn from(e: serde_json::Error) -> Self {
        Self::Json(e)
    }
}

/// Reads facts of any version: at most some 200 bytes of memory for each site and goroutine, and about four
/// times the text. Where a later version says something in another form than this one knows, that is left
/// out, and a gap says so.
///
/// # Errors
/// Text that is damaged, or of something else.
pub fn from_json(text: &[u8]) -> Result<Facts, FactsError> {
    let read = serde_json::from_slice::<Facts>(text);
    let schema = match &read {
        Ok(facts) => facts.schema.clone(),
        // What cannot be read may be of a later version.
        Err(_) => serde_json::from_slice::<Head>(text)?.schema,
    };
    let version = schema.strip_prefix(NAME).and_then(|v| v.parse::<u32>().ok()).filter(|v| *v > 0);
    let mut facts = match (version, read) {
        (Some(later), Err(_)) if later > CURRENT => Tolerant::default().facts(text)?,
        (_, Err(e)) => return Err(e.into()),
        (None, Ok(_)) => return Err(FactsError::OtherSchema(schema)),
        (Some(_), Ok(facts)) => facts,
    };
    if version > Some(CURRENT) {
        let why = format!("{schema}, written by a later lastgasp: what this one does not know of it is left out");
        facts.capture.gaps.push(Gap::new("facts", why));
    }
    if version == Some(1) {
        facts.make_keys();
    }
    facts.schema = SCHEMA.into();
    Ok(facts)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Head {
    schema: String,
}

/// The parts of facts as text.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Parts<'a> {
    #[serde(borrow)]
    capture: Option<&'a RawValue>,
    target: Option<&'a RawValue>,
    frames: Option<&'a RawValue>,
    profile: Option<&'a RawValue>,
    last_look: Option<&'a RawValue>,
    goroutines: Option<&'a RawValue>,
    gc: Option<&'a RawValue>,
    heap: Option<&'a RawValue>,
    graph: Option<&'a RawValue>,
    census: Option<&'a RawValue>,
    rss: Option<&'a RawValue>,
    residency: Option<&'a RawValue>,
    charge: Option<&'a RawValue>,
    gauges_at_rss: Option<&'a RawValue>,
    neighbours: Option<&'a RawValue>,
    timeline: Option<&'a RawValue>,
    feeds: Option<&'a RawValue>,
}

/// Reads part by part, and within a part field by field; keeps what is readable.
#[derive(Default)]
struct Tolerant {
    gaps: Vec<Gap>,
}

impl Tolerant {
    fn facts(mut self, text: &[u8]) -> Result<Facts, serde_json::Error> {
        let p: Parts<'_> = serde_json::from_slice(text)?;
        let mut facts = Facts {
            schema: String::new(),
            capture: self.part("capture", p.capture),
            target: self.part("target", p.target),
            frames: self.part("frames", p.frames),
            profile: self.part("profile", p.profile),
            goroutines: self.part("goroutines", p.goroutines),
            gc: self.part("gc", p.gc),
            graph: p.graph.and_then(|raw| self.optional("graph", raw)),
            census: self.part("census", p.census),
            heap: p.heap.and_then(|raw| self.optional("heap", raw)),
            rss: p.rss.and_then(|raw| self.optional("rss", raw)),
            residency: p.residency.and_then(|raw| self.optional("residency", raw)),
            charge: p.charge.and_then(|raw| self.optional("charge", raw)),
            gauges_at_rss: p.gauges_at_rss.and_then(|raw| self.optional("gauges_at_rss", raw)),
            neighbours: p.neighbours.and_then(|raw| self.optional("neighbours", raw)),
            timeline: self.part("timeline", p.timeline),
            last_look: None,
            feeds: self.part("feeds", p.feeds),
            death: None,
        };
        facts.capture.gaps.append(&mut self.gaps);
        Ok(facts)
    }

    /// A part that may be absent: half of it is worse than none.
    fn optional<T: DeserializeOwned>(&mut self, name: &str, raw: &RawValue) -> Option<T> {
        serde_json::from_str(raw.get()).unwrap_or_else(|_| {
            self.lost(name);
            None
        })
    }

    fn part<T: DeserializeOwned + Default>(&mut self, name: &str, raw: Option<&RawValue>) -> T {
        let Some(raw) = raw else { return T::default() };
        if let Ok(whole) = serde_json::from_str(raw.get()) {
            return whole;
        }
        let Ok(Fields(fields)) = serde_json::from_str(raw.get()) else {
            self.lost(name);
            return T::default();
        };
        let mut known = String::from("{");
        for (field, raw) in fields {
            // In quotes as it was: a name that needs them is none of ours.
            let one = format!("\"{}\":{}", field.escape_default(), raw.get());
            if serde_json::from_str::<T>(&format!("{{{one}}}")).is_err() {
                self.lost(&format!("{name}.{field}"));
                continue;
            }
            if known.len() > 1 {
                known.push(',');
            }
            known += &one;
        }
        known.push('}');
        serde_json::from_str(&known).unwrap_or_else(|_| {
            self.lost(name);
            T::default()
        })
    }

    fn lost(&mut self, what: &str) {
        self.gaps.push(Gap::new(format!("facts: {what}"), "a later lastgasp has written it in another form"));
    }
}

/// The fields of a struct, each name once and at most [`MAX_FIELDS`] of them.
struct Fields<'a>(std::collections::BTreeMap<String, &'a RawValue>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Few;
        impl<'de> serde::de::Visitor<'de> for Few {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a struct")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut out = std::collections::BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    if out.len() < MAX_FIELDS {
                        out.insert(name, value);
                    }
                }
                Ok(Fields(out))
            }
        }
        from.deserialize_map(Few)
    }
}

#[cfg(test)]
mod tests {
    use super::super::bounded::MAX_FEW;
    use super::super::capture::{Phase, Reason};
    use super::super::frame::Frame;
    use super::super::goroutine_state::GoroutineState;
    use super::super::timeline::Event;
    use super::*;

    fn read(json: &str) -> Facts {
        from_json(json.as_bytes()).unwrap_or_else(|e| panic!("{e}: {json}"))
    }

    #[test]
    fn what_was_written_is_read_and_what_is_longer_than_any_capture_is_refused() {
        let facts = Facts { schema: SCHEMA.into(), ..Facts::default() };
        assert_eq!(from_json(&serde_json::to_vec(&facts).unwrap()).unwrap(), facts);
        // Three bytes each, some fifty in memory.
        let events =
            |n: usize| format!(r#"{{"schema":"{SCHEMA}","timeline":{{"events":[{}{{}}]}}}}"#, "{},".repeat(n - 1));
        assert_eq!(from_json(events(MAX_FEW).as_bytes()).unwrap().timeline.events.len(), MAX_FEW);
        let e = from_json(events(MAX_FEW + 1).as_bytes()).unwrap_err().to_string();
        assert!(e.contains("at most 65536 elements") && e.contains("column"), "{e}");
    }

    #[test]
    fn the_first_form_is_read() {
        let facts = read(
            r#"{"schema":"lastgasp.facts/1",
            "capture":{"phase":"post-kill","reason":"oom-kill","gaps":[["stacks","no room"]]},
            "target":{"module":["example.com/m","v1.2.3"],"vcs":["9c1f","2026-11-18T09:40:12Z","true"],"started_unix":5},
            "frames":[{"function":"main.f","file":"/src/a.go","line":3}],
            "profile":{"sites":[{"stack":[0]}]},
            "goroutines":{"total":2,"groups":[{"count":2,"state":"waiting","wait_reason":"select","stack":[0]}]}}"#,
        );
        assert_eq!((&facts.capture.phase, &facts.capture.reason), (&Phase::PostKill, &Reason::OomKill));
        assert_eq!(facts.capture.gaps, [Gap::new("stacks", "no room")], "no gap for its age");
        assert_eq!(
            (facts.target.module.path.as_str(), facts.target.module.version.as_str()),
            ("example.com/m", "v1.2.3")
        );
        let vcs = facts.target.vcs.as_ref().unwrap();
        assert_eq!(
            (vcs.revision.as_str(), vcs.time.as_str(), vcs.modified.as_str()),
            ("9c1f", "2026-11-18T09:40:12Z", "true")
        );
        assert_eq!(facts.target.started_unix, 5);
        let group = &facts.goroutines.groups[0];
        assert_eq!((&group.state, group.why()), (&GoroutineState::Waiting, "select"));
        assert!(group.key.0 != 0 && group.key == facts.profile.sites[0].key);
        assert_eq!(facts.schema, SCHEMA);
        // And is written as the second.
        let again = serde_json::to_value(&facts).unwrap();
        assert_eq!(again["capture"]["gaps"][0]["what"], "stacks");
        assert_eq!(read(&again.to_string()), facts);
    }

    #[test]
    fn a_later_form_is_read_as_far_as_it_is_known() {
        // (What it says, what of it is lost.)
        for (json, lost) in [
            (r#""frames":[]"#, &[] as &[&str]),
            (r#""sockets":{"open":[1,2]},"capture":{"phase":"thawed","why":"because"}"#, &[]),
            (r#""frames":[{"function":"f","file":"a.go","line":{"from":1,"to":2}}]"#, &["frames"]),
            (r#""gc":7"#, &["gc"]),
            (r#""heap":{"span_bytes":"many"},"rss":{"rss":1}"#, &["heap"]),
            (r#""goroutines":{"total":5,"groups":{"a":1},"list":3}"#, &["goroutines.groups", "goroutines.list"]),
            (r#""profile":{"rate":{"bytes":1},"sites":[{"stack":[0]}]}"#, &["profile.rate"]),
            (r#""capture":{"gaps":"none","t_ms":9}"#, &["capture.gaps"]),
        ] {
            let facts = read(&format!(r#"{{"schema":"lastgasp.facts/3",{json}}}"#));
            let said: Vec<&str> = facts.capture.gaps.iter().filter_map(|g| g.what.strip_prefix("facts: ")).collect();
            assert_eq!(said, lost, "{json}");
            assert_eq!(facts.capture.gaps.last().unwrap().what, "facts", "{json}");
            assert!(facts.capture.gaps.last().unwrap().why.contains("lastgasp.facts/3"));
        }
        let facts =
            read(r#"{"schema":"lastgasp.facts/9","goroutines":{"total":5,"groups":1},"capture":{"phase":"thawed"}}"#);
        assert_eq!((facts.goroutines.total, facts.capture.phase), (5, Phase::Unknown("thawed".into())));
    }

    #[test]
    fn what_is_damaged_or_something_else_is_refused() {
        for (json, words) in [
            ("", "EOF"),
            ("{", "EOF"),
            ("[]", "schema is \"\""),
            ("{}", "schema is \"\""),
            (r#"{"schema":"lastgasp.facts/0"}"#, "schema is \"lastgasp.facts/0\""),
            (r#"{"schema":"lastgasp.facts/x"}"#, "lastgasp.facts/N"),
            (r#"{"schema":"lastgasp.capture/1"}"#, "schema is"),
            (r#"{"schema":"lastgasp.facts/1","gc":7}"#, "invalid type"),
            (r#"{"schema":"lastgasp.facts/2","gc":7}"#, "invalid type"),
            (r#"{"schema":"lastgasp.facts/3","gc":7"#, "EOF"),
            (r#"{"schema":"lastgasp.facts/3","gc":7,"gc":8}"#, "duplicate"),
            (r#"{"schema":3}"#, "invalid type"),
        ] {
            let e = from_json(json.as_bytes()).unwrap_err().to_string();
            assert!(e.contains(words), "{e}: {json}");
        }
    }

    /// Names of the future are kept when they are written again.
    #[test]
    fn unknown_names_come_back() {
        let json = r#"{"schema":"lastgasp.facts/2","capture":{"phase":"thawed","reason":"cold"},"goroutines":{"groups":[{"state":"dreaming"}]}}"#;
        let again = serde_json::to_value(read(json)).unwrap();
        assert_eq!((&again["capture"]["phase"], &again["capture"]["reason"]), (&"thawed".into(), &"cold".into()));
        assert_eq!(again["goroutines"]["groups"][0]["state"], "dreaming");
    }

    /// Tuples could never have gained a field; structs may, also where they stand in a list.
    #[test]
    fn fields_of_the_future_are_no_matter() {
        let facts = read(
            r#"{"schema":"lastgasp.facts/2","capture":{"gaps":[{"what":"a","why":"b","code":7}]},
            "frames":[{"function":"f","file":"a.go","line":1,"column":9}],"timeline":{"events":[{"t_ms":1,"severity":2}]}}"#,
        );
        assert_eq!(facts.capture.gaps, [Gap::new("a", "b")]);
        assert_eq!(facts.frames, [Frame { function: "f".into(), file: "a.go".into(), line: 1 }]);
        assert_eq!(facts.timeline.events, [Event { t_ms: 1, ..Event::default() }]);
    }

    #[test]
    fn every_name_comes_back_known_or_not() {
        let known = |n: &str| {
            (
                !matches!(Phase::from(n), Phase::Unknown(_)),
                !matches!(Reason::from(n), Reason::Unknown(_)),
                !matches!(GoroutineState::from(n), GoroutineState::Unknown(_)),
            )
        };
        for (name, of) in [
            ("pre-kill", (true, false, false)),
            ("manual", (true, true, false)),
            ("oom-kill", (false, true, false)),
            ("waiting", (false, false, true)),
            ("thawing", (false, false, false)),
            ("Manual", (false, false, false)),
            ("", (false, false, false)),
        ] {
            assert_eq!(known(name), of, "{name}");
            let json = serde_json::to_string(name).unwrap();
            let phase: Phase = serde_json::from_str(&json).unwrap();
            assert_eq!((phase.name(), serde_json::to_string(&phase).unwrap()), (name, json), "{name}");
            assert_eq!((Reason::from(name).name(), GoroutineState::from(name).name()), (name, name));
        }
        assert_eq!(Phase::default().name(), "");
        assert!(serde_json::from_str::<Phase>("7").is_err());
    }
}
