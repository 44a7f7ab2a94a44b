//! What happens to a world, carried out; and what pipelines and platforms tell lastgasp of it
//! (`POST /v1/changes`), where they are connected to it.

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::process::Start;
use super::{FORM, World, end, platform, settings};
use crate::scenario::{Act, CallerChange, Deploy, Environment, Event, Export, Feed, Limit, Load, Neighbour, Publish};

/// Longest that one instance is waited for before the next one has its turn: a rollout takes one at a time.
const TURN: Duration = Duration::from_secs(6);

impl World {
    /// Carries an action out; gives what was done, in words.
    ///
    /// # Errors
    /// It could not be done.
    pub fn act(&mut self, act: &Act) -> Result<String> {
        if let Some(p) = &act.publish {
            return self.publish(p);
        }
        if let Some(d) = &act.deploy {
            return self.deploy(d);
        }
        if let Some(r) = &act.restart {
            let places = self.picked(&r.instances);
            self.restart(&places, r.every.duration());
            return Ok(format!("{} instances started anew", places.len()));
        }
        if let Some(l) = &act.limit {
            return self.limit(l);
        }
        if let Some(e) = &act.environment {
            return self.environment(e);
        }
        if let Some(d) = &act.dependency {
            let mut fields = Vec::new();
            fields.extend(d.latency.map(|l| format!("latency={}", l.go())));
            fields.extend(d.failures.map(|f| format!("failures={f}")));
            self.web.get(&format!("http://127.0.0.1:{}/lab/set?{}", self.ports.dependency, fields.join("&")))?;
            if d.told {
                let behind = self.behind.clone();
                self.announce(&json!({ "kind": "dependency", "key": behind, "service": behind, "version": "7.3.0", "by": "pipeline" }));
            }
            return Ok(format!("the service behind: {}", fields.join(", ")));
        }
        if let Some(l) = &act.load {
            return self.load(l);
        }
        if let Some(c) = &act.caller {
            return self.caller(c);
        }
        if let Some(b) = &act.balancer {
            self.balancer_is.retries = b.retries.unwrap_or(self.balancer_is.retries);
            self.balancer_is.timeout = b.timeout.unwrap_or(self.balancer_is.timeout);
            let names = self.instances.names();
            let servers: Vec<(String, u16)> =
                names.iter().map(|(n, _)| n.clone()).zip(self.ports.instances.iter().copied()).collect();
            let wanted = (self.service.as_str(), &self.balancer_is, servers.as_slice());
            let before = self.balancer.take();
            self.balancer = Some(platform::balancer(
                &self.packages,
                &self.ports,
                &self.infrastructure,
                self.stage.path(),
                wanted,
                before,
            )?);
            return Ok(format!(
                "the balancer: {} retries, {} ms",
                self.balancer_is.retries, self.balancer_is.timeout.0
            ));
        }
        if let Some(t) = &act.trigger {
            let places = self.picked(&t.instances);
            for at in &places {
                self.instances.trigger(*at, &t.bug, t.off, &self.web)?;
            }
            return Ok(format!("{} {} in {} instances", t.bug, if t.off { "ends" } else { "begins" }, places.len()));
        }
        if let Some(e) = &act.event {
            return self.event(e);
        }
        if let Some(n) = &act.neighbour {
            return self.neighbour(n);
        }
        if let Some(f) = &act.files {
            let places = self.picked(&f.instances);
            for at in &places {
                let port = self.ports.instances.get(*at).context("a port")?;
                self.web.get(&format!("http://127.0.0.1:{port}/lab/files?mb={}", f.size.0 >> 20))?;
            }
            return Ok(format!("{} instances write {} MiB of files each", places.len(), f.size.0 >> 20));
        }
        if let Some(e) = &act.export {
            return Ok(self.export(e));
        }
        if let Some(k) = &act.kill {
            let places = self.picked(&k.instances);
            places.iter().for_each(|at| self.instances.kill(*at));
            return Ok(format!("{} instances killed", places.len()));
        }
        if let Some(f) = &act.feed {
            return self.feed(f);
        }
        bail!("nothing to be done")
    }

    fn publish(&self, p: &Publish) -> Result<String> {
        let quiet = if p.quiet { "&quiet=1" } else { "" };
        let form = format!("key={}&count={}&padding={}&by={}{quiet}", p.key, p.count, p.padding.0, p.by);
        let said = self.web.post(&format!("http://127.0.0.1:{}/publish", self.ports.admin), FORM, None, &form)?;
        Ok(format!("{} publishes: {}", p.by, said.trim().trim_start_matches("published ")))
    }

    fn restart(&self, places: &[usize], every: Duration) {
        for at in places {
            self.instances.restart(*at);
            self.instances.wait_for(*at, TURN);
            std::thread::sleep(every);
        }
    }

    fn deploy(&mut self, d: &Deploy) -> Result<String> {
        let places = self.picked(&d.instances);
        let built = self.releases.get(&d.version).context("a release that was built")?.clone();
        let before = self.lives().iter().rev().map(|l| l.version.clone()).find(|v| *v != d.version).unwrap_or_default();
        if d.told {
            let kind = if d.rollback { "rollback" } else { "release" };
            self.announce(&json!({
                "kind": "release", "key": self.service, "service": self.service, "version": d.version, "from": before, "to": d.version,
                "instances": self.names_of(&places), "by": "pipeline", "title": format!("{kind} of {} to {}", self.service, d.version),
            }));
        }
        for at in &places {
            self.instances.with(*at, |i| i.install(&d.version, &built)).transpose()?;
        }
        self.restart(&places, d.every.duration());
        let what = if d.rollback { "rolled back" } else { "released" };
        Ok(format!("{} {} {what} on {} instances", self.service, d.version, places.len()))
    }

    fn limit(&mut self, l: &Limit) -> Result<String> {
        let places = self.picked(&l.instances);
        if l.told {
            self.announce(&json!({
                "kind": "limit", "key": "memory.limit", "service": self.service, "to": l.memory.0.to_string(), "instances": self.names_of(&places), "by": "platform",
            }));
        }
        for at in &places {
            let set = self.instances.with(*at, |i| i.group.set_limit(l.memory.0)).context("an instance")?;
            if set.is_err() || l.restart {
                // As a platform does: a limit that is below what is in use takes a new life. Version 1 takes
                // it only when the old one is gone.
                self.instances.restart(*at);
                for _ in 0..200 {
                    if self.instances.with(*at, |i| i.group.set_limit(l.memory.0)).is_some_and(|r| r.is_ok()) {
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        }
        Ok(format!("limit of {} instances: {} MiB", places.len(), l.memory.0 >> 20))
    }

    fn environment(&mut self, e: &Environment) -> Result<String> {
        let places = self.picked(&e.instances);
        let names: Vec<&str> = e.set.keys().map(String::as_str).collect();
        if e.told {
            self.announce(&json!({
                "kind": "environment", "key": names.join(","), "service": self.service, "instances": self.names_of(&places), "by": "platform",
            }));
        }
        places.iter().for_each(|at| self.instances.set_environment(*at, &e.set));
        self.restart(&places, e.every.duration());
        let set: Vec<String> = e.set.iter().map(|(n, v)| format!("{n}={v}")).collect();
        Ok(format!("{} for {} instances, started anew", set.join(" "), places.len()))
    }

    fn load(&mut self, l: &Load) -> Result<String> {
        let mut said = Vec::new();
        for (name, caller) in self.callers.iter_mut().filter(|(n, _)| l.caller.is_empty() || **n == l.caller) {
            caller.is.rate = l.rate.or(l.times.map(|t| caller.first_rate * t)).unwrap_or(caller.is.rate);
            if let Some(path) = &l.path {
                caller.is.path.clone_from(path);
            }
            self.web.get(&format!("http://127.0.0.1:{}/lab/set?{}", caller.port, settings(&caller.is)))?;
            said.push(format!("{name} asks {} {:.1} times a second", caller.is.path, caller.is.rate));
        }
        if l.told {
            self.announce(
                &json!({ "kind": "traffic", "key": "campaign", "service": self.service, "by": "operations" }),
            );
        }
        Ok(said.join("; "))
    }

    fn caller(&mut self, c: &CallerChange) -> Result<String> {
        let mut said = Vec::new();
        for (name, caller) in self.callers.iter_mut().filter(|(n, _)| c.caller.is_empty() || **n == c.caller) {
            caller.is.timeout = c.timeout.unwrap_or(caller.is.timeout);
            caller.is.retries = c.retries.unwrap_or(caller.is.retries);
            caller.is.fallback = c.fallback.unwrap_or(caller.is.fallback);
            self.web.get(&format!("http://127.0.0.1:{}/lab/set?{}", caller.port, settings(&caller.is)))?;
            said.push(format!(
                "{name}: timeout {} ms, {} retries, {} fallback",
                caller.is.timeout.0,
                caller.is.retries,
                if caller.is.fallback { "a" } else { "no" }
            ));
        }
        if c.told {
            let names: Vec<String> =
                self.callers.keys().filter(|n| c.caller.is_empty() || **n == c.caller).cloned().collect();
            for name in names {
                self.announce(
                    &json!({ "kind": "config", "key": format!("{name}.timeout"), "service": name, "by": "pipeline" }),
                );
            }
        }
        Ok(said.join("; "))
    }

    fn event(&mut self, e: &Event) -> Result<String> {
        let service = if e.service.is_empty() { self.service.clone() } else { e.service.clone() };
        let key = if e.key.is_empty() { &service } else { &e.key };
        let at = crate::record::now_ms() + (e.clock_skew_s * 1000.0) as i64;
        let mut body = json!({ "kind": e.kind, "key": key, "service": service, "by": e.by, "at": at });
        if !e.version.is_empty() {
            body["version"] = json!(e.version);
        }
        if let Some(count) = e.count {
            body["count"] = json!(count);
        }
        if let Some(size) = e.size {
            body["bytes"] = json!(size.0);
        }
        if !e.data_centres.is_empty() {
            body["data_centres"] = json!(e.data_centres);
        }
        std::thread::sleep(e.late.duration());
        self.announce(&body);
        Ok(format!("{} tells of a change: {} {}", e.by, e.kind, key))
    }

    /// Tells lastgasp of a change in the plain form of its webhook; does nothing where nobody is connected.
    /// As in life what happens does not wait for who is told of it: what could not be told is noted.
    fn announce(&mut self, change: &Value) {
        if !self.told {
            return;
        }
        let mut change = change.clone();
        let unique = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_nanos());
        change["id"] = json!(format!("lab-{unique}"));
        if change.get("at").is_none() {
            change["at"] = json!(crate::record::now_ms());
        }
        let url = format!("http://127.0.0.1:{}/v1/changes", self.ports.lastgasp);
        if let Err(e) = self.web.post(&url, "application/json", Some(&self.token), &change.to_string()) {
            self.unheard.push(format!("{} {}: {e:#}", change["kind"], change["key"]));
        }
    }

    fn neighbour(&mut self, n: &Neighbour) -> Result<String> {
        let group = self.tree.group(&format!("node/neighbour-{}", self.neighbours.len() + 1), None)?;
        let log = self.stage.path().join("neighbour.log");
        let program = self.programs.join("neighbour");
        let mut start = Start::new(&program, &group, &log)
            .args(["-mb".to_owned(), (n.memory.0 >> 20).to_string()])
            .args(["-mb-per-second".to_owned(), (n.rate.0 >> 20).max(1).to_string()]);
        start.oom_score_adj = n.oom_score_adj;
        let child = start.spawn()?;
        self.neighbours.push(child);
        Ok(format!("a neighbour takes {} MiB of the node", n.memory.0 >> 20))
    }

    fn export(&self, e: &Export) -> String {
        let url = format!("http://127.0.0.1:{}/x/resource/export?rows={}", self.ports.balancer, e.rows);
        for n in 0..e.times {
            if n > 0 {
                std::thread::sleep(e.every.duration());
            }
            let (web, url) = (self.web.clone(), url.clone());
            // Whoever asks does not wait for the end of the world.
            std::thread::spawn(move || web.get(&url));
        }
        format!("{} exports of {} rows are asked for", e.times, e.rows)
    }

    fn feed(&mut self, f: &Feed) -> Result<String> {
        let word = if f.up { "comes back" } else { "breaks" };
        if f.name == "webhook" {
            self.told = f.up;
            return Ok(format!("webhook {word}"));
        }
        let name = if f.name == "etcd" { "etcd" } else { "prometheus" };
        if let Some(mut child) = self.others.remove(name) {
            end(&mut child, Duration::from_secs(5));
        }
        if f.up {
            let child = if name == "etcd" {
                platform::etcd(&self.packages, &self.ports, &self.infrastructure, self.stage.path())?
            } else {
                // Its own configuration stands there still.
                platform::prometheus_again(&self.packages, &self.ports, &self.infrastructure, self.stage.path())?
            };
            self.others.insert(name, child);
        }
        Ok(format!("{name} {word}"))
    }
}
