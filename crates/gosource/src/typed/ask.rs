//! The program that prints types, run. Whatever fails is a gap that is said, and nothing else: without types
//! everything works as far as text goes.

use std::fs;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::facts::TypeFacts;
use crate::escapes::Ask;

const PRINTER: &str = include_str!("type_printer/main.go");
/// Go 1.18 has generics in `go/types`; nothing newer is used.
const MODULE: &str = "module lastgasp.invalid/typeprinter\n\ngo 1.18\n";
const FIELDS: &str = "-json=ImportPath,Name,Dir,Export,DepOnly,Standard,GoFiles,CgoFiles,ImportMap";
/// Bytes of an error that are kept.
const SAID: u64 = 4096;

/// What types say, or why they do not.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Facts; empty where nothing could be had.
    pub facts: TypeFacts,
    /// Version of the toolchain; empty if there is none.
    pub version: String,
    /// What could not be known, each in a sentence.
    pub gaps: Vec<String>,
}

/// Asks for the types of packages. It compiles what they import, for its export data, and runs that program;
/// it runs nothing of theirs.
#[must_use]
pub fn types_of(whom: &Ask, folder: &Path) -> Answer {
    let mut answer = Answer { version: whom.version(), ..Answer::default() };
    if answer.version.is_empty() {
        answer.gaps.push("no Go toolchain could be run, so types are not known: findings are syntactic".to_owned());
        return answer;
    }
    if let Err(why) = ask(whom, folder, &mut answer) {
        answer.gaps.push(format!("types could not be had from {}: {why}", answer.version));
    }
    let broken: Vec<_> = answer.facts.packages.iter().filter(|p| p.errors > 0).collect();
    if let Some(first) = broken.first() {
        answer.gaps.push(format!(
            "{} of {} packages have errors of types, where findings stay syntactic (the first: {}: {})",
            broken.len(),
            answer.facts.packages.len(),
            first.what,
            first.error
        ));
    }
    if answer.facts.is_cut {
        answer.gaps.push("there are more expressions than are kept: some findings stay syntactic".to_owned());
    }
    answer
}

fn ask(whom: &Ask, folder: &Path, answer: &mut Answer) -> Result<(), String> {
    let io = |what: &str, e: std::io::Error| format!("{what}: {e}");
    fs::write(folder.join("main.go"), PRINTER).map_err(|e| io("writing the program that prints types", e))?;
    fs::write(folder.join("go.mod"), MODULE).map_err(|e| io("writing the program that prints types", e))?;
    let list = folder.join("list.json");
    let file = fs::File::create(&list).map_err(|e| io("writing the list of packages", e))?;
    let patterns = if whom.patterns.is_empty() { vec![".".to_owned()] } else { whom.patterns.clone() };
    let mut command = whom.command();
    command.args(["list", "-e", "-export", "-deps", FIELDS]).args(&whom.flags).arg("--").args(patterns);
    // With -e what does not compile is told of in the list, and its complaints are not fatal.
    let said = run(command.stdout(file))?;
    if fs::metadata(&list).map_or(0, |m| m.len()) == 0 {
        return Err(said.unwrap_or_else(|| "go list says nothing".to_owned()));
    }
    let program = built(whom, folder, &answer.version)?;
    let mut child = Command::new(&program)
        .arg(&list)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| io("running the program that prints types", e))?;
    let errors = child.stderr.take().map(|err| std::thread::spawn(move || words(err)));
    if let Some(out) = child.stdout.take() {
        answer.facts = TypeFacts::read(BufReader::with_capacity(1 << 16, out));
    }
    let failed = !child.wait().is_ok_and(|s| s.success());
    let said = errors.and_then(|e| e.join().ok()).flatten();
    if failed && !answer.facts.is_cut {
        return Err(format!("the program that prints types failed: {}", said.unwrap_or_default()));
    }
    Ok(())
}

/// Builds that program, by the toolchain whose export data it has to read.
fn built(whom: &Ask, folder: &Path, version: &str) -> Result<PathBuf, String> {
    let program = folder.join("typeprinter");
    let mut command = Ask { go: whom.go.clone(), dir: folder.to_owned(), ..Ask::default() }.command();
    command.args(["build", "-o"]).arg(&program).arg(".");
    command
        .env("GOWORK", "off")
        .env("GOFLAGS", "-mod=mod")
        .env("CGO_ENABLED", "0")
        .env_remove("GOOS")
        .env_remove("GOARCH");
    // The module may ask for another toolchain than the one that runs outside of it.
    if is_release(version) {
        command.env("GOTOOLCHAIN", version);
    }
    match run(command.stdout(Stdio::null()))? {
        Some(said) if !program.is_file() => Err(format!("the program that prints types was not built: {said}")),
        None if !program.is_file() => Err("the program that prints types was not built".to_owned()),
        _ => Ok(program),
    }
}

/// `go1.22.10` is one that can be asked for by that name; `devel go1.28-abc` is not.
fn is_release(version: &str) -> bool {
    version.starts_with("go1.") && version.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.')
}

/// Runs a command; what it complained about, if it failed.
fn run(command: &mut Command) -> Result<Option<String>, String> {
    let mut child = command.stderr(Stdio::piped()).spawn().map_err(|e| format!("it cannot be started: {e}"))?;
    let said = child.stderr.take().and_then(words);
    let status = child.wait().map_err(|e| e.to_string())?;
    Ok(if status.success() { None } else { Some(said.unwrap_or_else(|| status.to_string())) })
}

/// The first words of what a command complains about; the rest is read and forgotten, so that it can end.
fn words(mut from: impl std::io::Read) -> Option<String> {
    let mut said = Vec::new();
    let _ = from.by_ref().take(SAID).read_to_end(&mut said);
    let _ = std::io::copy(&mut from, &mut std::io::sink());
    let text = String::from_utf8_lossy(&said);
    let lines: Vec<_> = text.lines().map(str::trim).filter(|l| !l.is_empty()).take(3).collect();
    (!lines.is_empty()).then(|| lines.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_toolchain_that_is_said_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let whom = Ask { go: "/nowhere/go".into(), ..Ask::default() };
        let answer = types_of(&whom, dir.path());
        assert!(answer.facts.is_empty());
        assert_eq!(answer.gaps.len(), 1);
        assert!(answer.gaps[0].contains("syntactic"), "{:?}", answer.gaps);
    }

    #[test]
    fn a_toolchain_that_fails_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let go = dir.path().join("go");
        fs::write(&go, "#!/bin/sh\n[ \"$1\" = env ] && echo go1.22.1 && exit\necho no luck >&2\nexit 1\n").unwrap();
        let mut permissions = fs::metadata(&go).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
        fs::set_permissions(&go, permissions).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let answer = types_of(&Ask { go, ..Ask::default() }, folder.path());
        assert!(answer.gaps.iter().any(|g| g.contains("no luck")), "{:?}", answer.gaps);
    }
}
