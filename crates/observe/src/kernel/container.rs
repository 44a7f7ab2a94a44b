//! Which container, pod or unit a process belongs to, by the path of its cgroup as the container runtimes
//! write it.
//!
//! | who | path |
//! |---|---|
//! | docker | `/docker/ID`, `/system.slice/docker-ID.scope` |
//! | containerd (CRI) | `/kubepods.slice/.../kubepods-burstable-podUID.slice/cri-containerd-ID.scope`, `/kubepods/burstable/podUID/ID`, `.../kubepods-podUID.slice:cri-containerd:ID` |
//! | CRI-O | `.../crio-ID.scope`, `.../crio-ID.scope/container`; its monitor is in `crio-conmon-ID.scope` |
//! | podman | `/machine.slice/libpod-ID.scope/container`, `/libpod_parent/libpod-ID`; its monitor is in `libpod-conmon-ID.scope` |
//! | ECS | `/ecs/TASK/ID`; on Fargate `/ecs/TASK/TASK-NUMBER` |
//! | systemd-nspawn, LXC | `/machine.slice/systemd-nspawn@NAME.service/payload`, `/machine.slice/machine-NAME.scope`, `/lxc.payload.NAME`, `/lxc/NAME` |

use std::fmt;

/// Where a process runs, as its cgroup's path tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Home {
    /// The innermost container's id, or name where the runtime knows no ids.
    pub container: Option<String>,
    /// What made it; `None` where the path does not say (cgroupfs driver of Kubernetes).
    pub runtime: Option<&'static str>,
    /// The Kubernetes pod.
    pub pod: Option<String>,
    /// The innermost systemd service outside of containers.
    pub unit: Option<String>,
}

impl fmt::Display for Home {
    /// As short as people write it: the first twelve digits of an id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.container, &self.unit) {
            (Some(id), _) => f.write_str(if is_id(id) { id.get(..12).unwrap_or(id) } else { id }),
            (None, Some(unit)) => f.write_str(unit),
            (None, None) => f.write_str("-"),
        }
    }
}

/// What the names that container runtimes put before an id mean.
const PREFIXES: &[(&str, &str)] = &[
    ("docker", "docker"),
    ("cri-containerd", "containerd"),
    ("crio", "cri-o"),
    ("libpod", "podman"),
    ("nerdctl", "containerd"),
];

/// Reads a path from `/proc/PID/cgroup`.
#[must_use]
pub fn home(path: &str) -> Home {
    let mut home = Home::default();
    let mut before = "";
    for part in path.split('/').filter(|p| !p.is_empty()) {
        if let Some(pod) = pod(part) {
            home.pod = Some(pod);
        }
        if let Some((id, runtime)) = container(part, before) {
            home.container = Some(id);
            home.runtime = runtime;
            home.unit = None;
        } else if part.ends_with(".service") && !part.starts_with("systemd-nspawn@") && !part.starts_with("user@") {
            home.unit = Some(part.to_owned());
        }
        before = part;
    }
    home
}

fn container(part: &str, before: &str) -> Option<(String, Option<&'static str>)> {
    let bare = part.strip_suffix(".scope").unwrap_or(part);
    // `kubepods-podUID.slice:cri-containerd:ID`: containerd set up for systemd, runc not.
    let (prefix, id) = bare.rsplit_once([':', '-']).unwrap_or(("", bare));
    let prefix = prefix.rsplit(':').next().unwrap_or(prefix);
    if is_id(id) {
        // The monitor of a container runs beside it and is no part of it.
        if prefix.ends_with("conmon") {
            return None;
        }
        let named = PREFIXES.iter().find(|(p, _)| *p == prefix).map(|(_, runtime)| *runtime);
        let by_folder = match before {
            "docker" => Some("docker"),
            "libpod_parent" => Some("podman"),
            _ => None,
        };
        return Some((id.to_owned(), named.or(by_folder)));
    }
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let is_task = |s: &str| s.len() == 32 && s.bytes().all(|b| b.is_ascii_hexdigit());
    if is_task(before) && prefix == before && digits(id) {
        return Some((part.to_owned(), Some("ecs-fargate")));
    }
    let (name, runtime) = if let Some(rest) = part.strip_prefix("systemd-nspawn@") {
        (rest.strip_suffix(".service")?, "systemd-nspawn")
    } else if let Some(rest) = part.strip_prefix("lxc.payload.") {
        (rest, "lxc")
    } else if before == "lxc" {
        (part, "lxc")
    } else {
        (part.strip_prefix("machine-")?.strip_suffix(".scope")?, "machine")
    };
    // systemd writes a dash in a name as `\x2d`.
    (!name.is_empty()).then(|| (name.replace("\\x2d", "-"), Some(runtime)))
}

/// The pod's uid in `podUID`, `kubepods-burstable-podUID.slice` (dashes as underscores), and either behind a
/// colon.
fn pod(part: &str) -> Option<String> {
    let bare = part.split(':').next()?;
    let bare = bare.strip_suffix(".slice").unwrap_or(bare);
    let uid = match bare.rsplit_once("-pod") {
        Some((head, uid))
            if head.starts_with("kubepods") || head.ends_with("kubepods") || head.contains("-kubepods-") =>
        {
            uid
        }
        _ => bare.strip_prefix("pod")?,
    };
    // A uid, or the hash of a static pod's manifest.
    let sane = (32..=36).contains(&uid.len()) && uid.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-' || b == b'_');
    sane.then(|| uid.replace('_', "-"))
}

/// 64 hex digits.
fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3f2d7c0a9be1445566778899aabbccddeeff00112233445566778899aabbccdd";
    const OTHER: &str = "00000000000000000000000000000000000000000000000000000000000000ff";
    const POD: &str = "2c48913c-b29f-11e7-9350-020968147796";

    #[test]
    fn the_shapes_that_container_runtimes_write() {
        let under = POD.replace('-', "_");
        let slice = format!("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{under}.slice");
        for (path, runtime, pod) in [
            (format!("/docker/{ID}"), Some("docker"), false),
            (format!("/system.slice/docker-{ID}.scope"), Some("docker"), false),
            (format!("/system.slice/docker-{ID}.scope/nested/init.scope"), Some("docker"), false),
            (format!("{slice}/cri-containerd-{ID}.scope"), Some("containerd"), true),
            (format!("{slice}/crio-{ID}.scope"), Some("cri-o"), true),
            (format!("{slice}/crio-{ID}.scope/container"), Some("cri-o"), true),
            (format!("{slice}/docker-{ID}.scope"), Some("docker"), true),
            (format!("/kubepods.slice/kubepods-pod{under}.slice/cri-containerd-{ID}.scope"), Some("containerd"), true),
            (format!("/kubepods/burstable/pod{POD}/{ID}"), None, true),
            (format!("/kubepods/pod{POD}/{ID}"), None, true),
            (
                format!("/system.slice/containerd.service/kubepods-besteffort-pod{under}.slice:cri-containerd:{ID}"),
                Some("containerd"),
                true,
            ),
            (format!("/machine.slice/libpod-{ID}.scope/container"), Some("podman"), false),
            (
                format!("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope"),
                Some("podman"),
                false,
            ),
            (format!("/libpod_parent/libpod-{ID}"), Some("podman"), false),
            (format!("/system.slice/nerdctl-{ID}.scope"), Some("containerd"), false),
            (format!("/default/{ID}"), None, false),
            (format!("/ecs/0123456789abcdef0123456789abcdef/{ID}"), None, false),
            // Seen from another cgroup namespace.
            (format!("/../../{ID}"), None, false),
            // kind: a node that is a container; the innermost counts.
            (
                format!(
                    "/docker/{OTHER}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod{under}.slice/cri-containerd-{ID}.scope"
                ),
                Some("containerd"),
                true,
            ),
        ] {
            let got = home(&path);
            assert_eq!(got.container.as_deref(), Some(ID), "{path}");
            assert_eq!((got.runtime, got.unit), (runtime, None), "{path}");
            assert_eq!(got.pod.as_deref(), pod.then_some(POD), "{path}");
        }
    }

    #[test]
    fn containers_with_names() {
        for (path, name, runtime) in [
            ("/machine.slice/systemd-nspawn@web.service/payload", "web", "systemd-nspawn"),
            ("/machine.slice/machine-web\\x2d1.scope", "web-1", "machine"),
            ("/lxc.payload.web/system.slice", "web", "lxc"),
            ("/lxc/web", "web", "lxc"),
            (
                "/ecs/0123456789abcdef0123456789abcdef/0123456789abcdef0123456789abcdef-2531612879",
                "0123456789abcdef0123456789abcdef-2531612879",
                "ecs-fargate",
            ),
        ] {
            let got = home(path);
            assert_eq!((got.container.as_deref(), got.runtime), (Some(name), Some(runtime)), "{path}");
        }
        assert_eq!(home("/lxc.payload.web/system.slice/api.service").unit.as_deref(), Some("api.service"));
    }

    #[test]
    fn what_is_no_container() {
        for (path, unit) in [
            ("/", None),
            ("", None),
            ("/system.slice/resource-service.service", Some("resource-service.service")),
            ("/user.slice/user-1000.slice/session-1.scope", None),
            ("/user.slice/user-1000.slice/user@1000.service/app.slice/dev.service", Some("dev.service")),
            ("/system.slice/docker.service", Some("docker.service")),
            ("/init.scope", None),
        ] {
            assert_eq!(home(path), Home { unit: unit.map(str::to_owned), ..Home::default() }, "{path}");
        }
        // The monitors of podman and CRI-O.
        assert_eq!(home(&format!("/machine.slice/libpod-conmon-{ID}.scope")).container, None);
        assert_eq!(home(&format!("/kubepods.slice/crio-conmon-{ID}.scope")).container, None);
        // Too short and too long.
        assert_eq!(home(&format!("/docker/{}", &ID[1..])).container, None);
        assert_eq!(home(&format!("/docker/a{ID}")).container, None);
    }

    #[test]
    fn short_forms() {
        assert_eq!(home(&format!("/docker/{ID}")).to_string(), "3f2d7c0a9be1");
        assert_eq!(home("/system.slice/a.service").to_string(), "a.service");
        assert_eq!(home("/").to_string(), "-");
    }
}
