//! Who runs a piece of code: a service, somebody at a prompt, a program that goes through its work and ends,
//! or a test.

use crate::meaning::case::Case;
use crate::meaning::loops::{Length, leads_out, length, loops_in};
use crate::project::FileKind;
use crate::syntax::{Function, Package, ParsedFile};

/// Whether a function is what a command of a command line runs.
pub(crate) fn is_command(f: &Function<'_>) -> bool {
    f.decl.sig.params.iter().any(|p| p.ty.pointee().name() == Some(("github.com/spf13/cobra", "Command")))
}

/// Whether a function tells somebody at a terminal, line by line, what it does: it prints to standard output
/// several times, and is neither a method nor what requests reach.
pub(crate) fn talks<'a>(case: &Case<'a>, f: &Function<'a>) -> bool {
    let text = case.file(f).at(f.decl.span);
    let printed: usize = ["fmt.Println(", "fmt.Printf(", "fmt.Print("].iter().map(|w| text.matches(w).count()).sum();
    printed > 1 && f.receiver_type().is_none() && !text.contains("http.ResponseWriter")
}

/// Whether a file is the code of commands: it imports what parses their flags, or another of its package
/// does, and none of them serves anything. A package `main` may be a daemon beside: there each file is asked
/// itself.
pub(crate) fn is_command_line(pkg: &Package<'_>, file: &ParsedFile<'_>) -> bool {
    let commands = ["github.com/spf13/cobra", "github.com/alecthomas/kong", "gopkg.in/alecthomas/kingpin.v2"];
    let parses = |file: &ParsedFile<'_>| {
        file.ast.imports.iter().any(|i| commands.contains(&i.path) || i.path.starts_with("github.com/urfave/cli"))
    };
    // `cmd/inspect/dump`: a package of its own for one command, which parses its own flags.
    let of_command = pkg.name != "main"
        && file.name.split('/').rev().skip(1).any(|folder| folder == "cmd")
        && pkg.files.iter().any(|f| f.text.contains("flag.NewFlagSet("));
    let serves = |file: &ParsedFile<'_>| file.text.contains("ListenAndServe") || file.text.contains(".Serve(");
    let here = |f: &&ParsedFile<'_>| pkg.name != "main" || f.name == file.name;
    (of_command || pkg.files.iter().filter(here).any(parses)) && !pkg.files.iter().any(serves)
}

/// Whether a file is of a program for a command line by the name of its folder, `cmd/tempo-cli`, or a
/// function is the work of one command by its receiver: `(c *ExportCommand) Execute(args)`. What serves is no
/// command.
pub(crate) fn is_named_as_command(file: &ParsedFile<'_>, f: Option<&Function<'_>>) -> bool {
    if file.text.contains("ListenAndServe") || file.text.contains(".Serve(") {
        return false;
    }
    let folder = file.name.rsplit('/').nth(1).unwrap_or_default();
    let under_cmd = || file.name.split('/').any(|folder| folder == "cmd");
    let by_folder = folder == "cli"
        || ["-cli", "_cli"].iter().any(|end| folder.ends_with(end))
        || folder.ends_with("ctl") && under_cmd();
    let by_receiver = f.and_then(Function::receiver_type).is_some_and(|of| {
        let commands = ["Command", "Cmd"].iter().any(|end| of.ends_with(end));
        let of_flags = ["github.com/alecthomas/kong", "go-flags", "github.com/spf13/cobra", "urfave/cli"];
        // A handler of commands is one of a bus as often.
        let told = file.text.contains(&format!("{of}) Execute(args")) || file.text.contains("\"flag\"");
        commands && (told || of_flags.iter().any(|i| file.text.contains(i)))
    });
    by_folder || by_receiver
}

/// Whether a program goes through its work and ends: a package `main` without a loop that has no end, a
/// select, a handler or a listener. One that is told on its command line what to go through, and prints what
/// it finds, may wait for its own goroutines and for Ctrl-C meanwhile.
pub(crate) fn runs_through<'a>(pkg: &'a Package<'a>) -> bool {
    const SERVES: &[&str] =
        &["ListenAndServe", ".Serve(", "net.Listen(", "http.Handle", "time.Tick(", "time.NewTicker("];
    const WAITS: &[&str] = &["select {", "signal.Notify", ".Wait()", "time.Sleep("];
    const TOLD: &[&str] = &["flag.Args()", "flag.Arg(", "flag.NArg()"];
    const PRINTS: &[&str] = &["fmt.Println(", "fmt.Printf(", "fmt.Print(", "fmt.Fprintf(os.Stdout", "os.Stdout"];
    let has_main = pkg.by_name.contains_key("main");
    // `for { h, err := r.Next(); if err == io.EOF { break } }` ends.
    let endless = |f: &'a Function<'a>| {
        f.scope.units.iter().any(|u| {
            loops_in(u.body)
                .into_iter()
                .any(|(_, label, l)| matches!(length(pkg, f, l), Length::Ever) && !leads_out(pkg, f, l, label))
        })
    };
    let has = |words: &[&str]| pkg.files.iter().any(|f| words.iter().any(|w| f.text.contains(w)));
    pkg.name == "main"
        && has_main
        && !has(SERVES)
        && (!has(WAITS) || has(TOLD) && has(PRINTS))
        && !pkg.files.iter().any(|f| f.imports("google.golang.org/grpc"))
        && !pkg.funcs.iter().any(endless)
}

/// Whether a function, or its file, is named after what changes a database when a program starts.
pub(crate) fn migrates(file: &str, f: &Function<'_>) -> bool {
    let name = f.decl.name.name.to_lowercase();
    let last = file.rsplit('/').next().unwrap_or(file).to_lowercase();
    ["migrat", "seed"].iter().any(|w| name.contains(w)) || last.starts_with("migrat") || is_a_change(file)
}

/// Whether a file is one of the changes that a database has had, each of which is made once:
/// `migrations/`, `deltas/20230516154000_drop.go`.
pub(crate) fn is_a_change(file: &str) -> bool {
    let (folders, file) = file.rsplit_once('/').unwrap_or(("", file));
    let dated = file.bytes().take_while(u8::is_ascii_digit).count() >= 8 && file.contains('_');
    dated || folders.split('/').any(|f| matches!(f, "migrations" | "deltas"))
}

/// Whether a function's name, or the comment above it, says that tests call it: `NewStoreForTests`, "is used
/// for testing only".
pub(crate) fn is_for_tests<'a>(case: &Case<'a>, f: &Function<'a>) -> bool {
    if ["ForTest", "ForTests", "ForTesting"].iter().any(|end| f.decl.name.name.ends_with(end)) {
        return true;
    }
    let before = case.file(f).text.get(..f.decl.span.start as usize).unwrap_or_default();
    let above = before.lines().rev().map(str::trim).take_while(|l| l.starts_with("//"));
    above.take(8).any(|l| {
        let lower = l.to_lowercase();
        const WORDS: &[&str] =
            &["for testing", "for tests", "only in tests", "only by tests", "testing only", "tests only"];
        // What is exported for tests is the program's own.
        !lower.contains("export") && WORDS.iter().any(|w| lower.contains(w))
    })
}

/// Whether the comment above a type says that it stands in for something in tests: "is a fake TimeSource".
pub(crate) fn is_a_fake(case: &Case<'_>, name: &str) -> bool {
    let Some((file, spec)) =
        case.pkg.files.iter().find_map(|f| Some((f, f.ast.types.iter().find(|t| t.name.name == name)?)))
    else {
        return false;
    };
    let before = file.text.get(..spec.name.span.start as usize).unwrap_or_default();
    // The line of the name itself is the last.
    let above = before.lines().rev().skip_while(|l| !l.trim_start().starts_with("//")).map(str::trim);
    let near = before.lines().rev().take(2).any(|l| l.trim_start().starts_with("//"));
    near && above.take_while(|l| l.starts_with("//")).any(|l| {
        let lower = l.to_lowercase();
        [" is a fake", " is a mock", " is a stub", "for use in tests", "used in tests"]
            .iter()
            .any(|w| lower.contains(w))
    })
}

/// Whether a package is there for tests alone: named so, or a file of it that is no test names `testing.T`.
pub(crate) fn is_test_package(pkg: &Package<'_>) -> bool {
    matches!(pkg.name, "test" | "tests" | "testing" | "integration" | "e2e" | "fixtures")
        || pkg.files.iter().any(|f| {
            let names = ["testing.T)", "testing.T,", "testing.TB", "testing.B)"];
            f.kind == FileKind::Written
                && f.imports("testing")
                && pkg.name.contains("test")
                && names.iter().any(|n| f.text.contains(n))
        })
}

/// Whether a file that is no test is there for tests: it names what a test is given, or imports what only
/// tests use.
pub(crate) fn helps_tests(file: &ParsedFile<'_>) -> bool {
    let names = ["*testing.T)", "*testing.T,", "testing.TB", "*testing.B)", "testing.T\n"];
    const FOR_TESTS: &[&str] = &[
        "github.com/stretchr/testify/",
        "github.com/ory/dockertest",
        "github.com/testcontainers/",
        "github.com/onsi/ginkgo",
        "github.com/onsi/gomega",
        "go.uber.org/mock/gomock",
        "github.com/golang/mock/gomock",
    ];
    file.imports("testing") && names.iter().any(|n| file.text.contains(n))
        || file.ast.imports.iter().any(|i| FOR_TESTS.iter().any(|p| i.path.starts_with(p)))
}

#[cfg(test)]
mod tests {
    use super::is_a_change;

    #[test]
    fn files_that_are_one_change_of_a_database() {
        for file in ["a/migrations/init.go", "storage/deltas/x.go", "db/20230516154000_drop_reference.go"] {
            assert!(is_a_change(file), "{file}");
        }
        for file in ["a/migrate/migrate.go", "migrations.go", "db/2023_report.go", "db/20230516.go", "delta/x.go"] {
            assert!(!is_a_change(file), "{file}");
        }
    }
}
