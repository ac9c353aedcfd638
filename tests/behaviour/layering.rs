//! Who may import whom, and what the library may not do anywhere: the architecture as a test.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use crate::source::{self, File, Token};

/// What each module may import beside itself and `model`. `a::b` allows only that part of `a`.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("document", &[]),
    ("settings", &["document"]),
    ("capture", &["settings"]),
    ("decode", &["settings"]),
    ("flow", &["settings"]),
    ("dissect", &[]),
    ("signatures", &["document"]),
    ("geo", &["document"]),
    ("observe", &["settings"]),
    ("detect", &["signatures", "geo", "settings"]),
    ("profile", &["settings"]),
    ("cluster", &["settings"]),
    ("explain", &["settings"]),
    ("report", &[]),
    ("store", &[]),
    ("lab", &["capture::writer"]),
    (
        "pipeline",
        &[
            "settings",
            "capture",
            "decode",
            "flow",
            "dissect",
            "signatures",
            "geo",
            "observe",
            "detect",
            "profile",
            "cluster",
            "explain",
            "report",
            "store",
        ],
    ),
    (
        "cli",
        &[
            "pipeline",
            "settings",
            "report",
            "store",
            "lab",
            "signatures",
            "geo",
            "document",
            "capture",
            // What an analysis is told before it starts: parts of `pipeline::conclude::Ending` and of its reader.
            "detect::Knowledge",
            "explain::Circumstances",
            "explain::weights",
            "flow::table",
        ],
    ),
];

/// What tests of any module may import, too: what makes their inputs.
const TESTS_MAY_IMPORT: &[&str] = &[
    "settings",
    "capture",
    "decode",
    "flow",
    "dissect",
    "signatures",
    "geo",
    "pipeline",
];

/// Most lines of a file, tests included: more is a second purpose.
const MOST_LINES: usize = 550;

/// Files that may be longer, how long, and why.
const LONGER: &[(&str, usize, &str)] = &[];

/// Something that a file must not contain: where it stands, and what.
type Complaint = String;

/// The arrows that a file draws to other top modules: token where it stands, and the path from the crate's root on.
fn arrows(file: &File) -> Vec<(&Token, Vec<String>)> {
    let mut found = Vec::new();
    let mut position = 0;
    while let Some(token) = file.tokens.get(position) {
        let starts_path = position == 0 || file.tokens[position - 1].text != "::";
        position += 1;
        if !starts_path {
            continue;
        }
        let mut root = match token.text.as_str() {
            "crate" => Vec::new(),
            // The program's own file names the library.
            "farmhawk" if file.path == "src/main.rs" => Vec::new(),
            "super" => {
                let mut module = file.module();
                module.extend(token.modules.iter().cloned());
                module.pop();
                module
            }
            _ => continue,
        };
        while text(file, position) == "::" && text(file, position + 1) == "super" {
            root.pop();
            position += 2;
        }
        if text(file, position) != "::" {
            continue;
        }
        for rest in names_after(file, position + 1) {
            let mut path = root.clone();
            path.extend(rest);
            found.push((token, path));
        }
    }
    found
}

fn text(file: &File, position: usize) -> &str {
    file.tokens.get(position).map_or("", |token| token.text.as_str())
}

/// The paths that start at `position`: one, or those of a group in braces (the first two names of each are enough).
fn names_after(file: &File, position: usize) -> Vec<Vec<String>> {
    if text(file, position) != "{" {
        return vec![two_names(file, position)];
    }
    let mut paths = Vec::new();
    let mut depth = 0;
    let mut at = position;
    loop {
        match text(file, at) {
            "{" => depth += 1,
            "}" => depth -= 1,
            "" => return paths,
            _ => {}
        }
        let before = text(file, at);
        at += 1;
        if depth == 0 {
            return paths;
        }
        if depth == 1 && matches!(before, "{" | ",") && text(file, at) != "}" {
            paths.push(two_names(file, at));
        }
    }
}

fn two_names(file: &File, position: usize) -> Vec<String> {
    let mut names = vec![text(file, position).to_owned()];
    if text(file, position + 1) == "::" {
        names.push(text(file, position + 2).to_owned());
    }
    names
}

/// The forbidden arrows of a file.
fn forbidden_arrows(file: &File) -> Vec<Complaint> {
    let own = file.module();
    let own = own.first().map_or("", String::as_str);
    let mut complaints = BTreeSet::new();
    for (token, path) in arrows(file) {
        let to = path.first().map_or("", String::as_str);
        let allowed = match file.path.as_str() {
            "src/main.rs" => Some(&["cli"][..]),
            "src/lib.rs" => Some(&[][..]),
            _ => MAY_IMPORT
                .iter()
                .find(|(module, _)| *module == own)
                .map(|(_, allowed)| *allowed),
        };
        let Some(allowed) = allowed else {
            complaints.insert(format!(
                "{}: module {own} is not in the table of layers",
                file.path
            ));
            continue;
        };
        let may = |list: &[&str]| {
            list.iter()
                .any(|name| name.split("::").eq(path.iter().take(name.split("::").count())))
        };
        let is_allowed = to == own
            || to == "model" && !own.is_empty()
            || may(allowed)
            || token.in_test && own != "model" && may(TESTS_MAY_IMPORT);
        if !is_allowed {
            complaints.insert(format!(
                "{}:{}: {own} may not import {}",
                file.path,
                token.line,
                path.join("::")
            ));
        }
    }
    complaints.into_iter().collect()
}

/// What no file but the named ones may do: print, end the process, read the clock, be unsafe.
fn forbidden_acts(file: &File) -> Vec<Complaint> {
    let acts: [(&[&str], &[&str], &str); 10] = [
        (&["println", "!"], &["src/cli/", "src/main.rs"], "prints"),
        (&["print", "!"], &["src/cli/", "src/main.rs"], "prints"),
        (&["eprintln", "!"], &["src/cli/", "src/main.rs"], "prints"),
        (&["eprint", "!"], &["src/cli/", "src/main.rs"], "prints"),
        (&["dbg", "!"], &[], "prints"),
        (
            &["process", "::", "exit"],
            &["src/cli/", "src/main.rs"],
            "ends the process",
        ),
        (&["process", "::", "abort"], &[], "ends the process"),
        (
            &["Instant", "::", "now"],
            &["src/capture/live.rs", "src/cli/progress.rs"],
            "reads the clock",
        ),
        (
            &["SystemTime", "::", "now"],
            &["src/capture/live.rs", "src/cli/progress.rs"],
            "reads the clock",
        ),
        // The program sets one option of its allocator, which has no safe interface.
        (
            &["unsafe"],
            &["src/capture/fanout.rs", "src/main.rs"],
            "is unsafe",
        ),
    ];
    let mut complaints = Vec::new();
    for (words, allowed_in, what) in acts {
        if allowed_in.iter().any(|start| file.path.starts_with(start)) {
            continue;
        }
        for window in file.tokens.windows(words.len()) {
            let is_it = window
                .iter()
                .map(|token| token.text.as_str())
                .eq(words.iter().copied());
            // Tests say what they skipped, and nothing that they do reaches a user; but unsafe is unsafe.
            if is_it && (!window[0].in_test || words == ["unsafe"]) {
                complaints.push(format!(
                    "{}:{}: {what}: {}",
                    file.path,
                    window[0].line,
                    words.concat()
                ));
            }
        }
    }
    complaints
}

/// Whether a file is longer than it may be.
fn too_long(file: &File) -> Option<Complaint> {
    let most = LONGER
        .iter()
        .find(|(path, ..)| *path == file.path)
        .map_or(MOST_LINES, |(_, most, _)| *most);
    (file.lines > most).then(|| format!("{}: {} lines, {most} are allowed", file.path, file.lines))
}

fn complaints_of_all(judge: impl Fn(&File) -> Vec<Complaint>) -> String {
    static FILES: LazyLock<Vec<File>> = LazyLock::new(source::all);
    assert!(FILES.len() > 100, "the sources were not found");
    let complaints: Vec<Complaint> = FILES.iter().flat_map(judge).collect();
    complaints.join("\n")
}

#[test]
fn modules_import_only_what_the_table_allows() {
    let complaints = complaints_of_all(forbidden_arrows);
    assert!(complaints.is_empty(), "\n{complaints}");
}

#[test]
fn the_library_does_not_print_exit_read_the_clock_or_use_unsafe() {
    let complaints = complaints_of_all(forbidden_acts);
    assert!(complaints.is_empty(), "\n{complaints}");
}

#[test]
fn files_have_one_purpose_s_length() {
    let complaints = complaints_of_all(|file| too_long(file).into_iter().collect());
    assert!(complaints.is_empty(), "\n{complaints}");
}

#[test]
fn the_program_is_a_screen_long() {
    let main = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/main.rs");
    let lines = std::fs::read_to_string(main).unwrap().lines().count();
    assert!(lines <= 40, "{lines} lines");
}

#[test]
fn forbidden_imports_are_found_in_every_spelling() {
    for (path, text) in [
        ("src/explain/farm.rs", "use crate::cluster::Clusters;"),
        ("src/explain/farm.rs", "use crate::{model::farm, cluster};"),
        ("src/explain/mod.rs", "use super::cluster::Clusters;"),
        (
            "src/explain/cues/n_rc.rs",
            "fn f() { super::super::super::cluster::cluster(); }",
        ),
        (
            "src/explain/cues/n_rc.rs",
            "use super::super::super::{model::farm::{Farm, Id}, report::json};",
        ),
        ("src/dissect/dns/mod.rs", "mod tests { use crate::report::json; }"),
        ("src/dissect/dns/mod.rs", "use crate::flow::Flows;"),
        ("src/lab/mod.rs", "use crate::capture::savefile::SaveFile;"),
        (
            "src/model/time.rs",
            "#[cfg(test)] mod tests { use crate::settings::limits; }",
        ),
        (
            "src/detect/sessions.rs",
            "macro_rules! m { () => { $crate::observe::learn() } }",
        ),
        ("src/nobody/mod.rs", "use crate::model::time;"),
        ("src/main.rs", "fn main() { farmhawk::pipeline::run(); }"),
    ] {
        let complaints = forbidden_arrows(&File::of(path, text));
        assert_eq!(complaints.len(), 1, "{path}: {text}: {complaints:?}");
    }
}

#[test]
fn allowed_imports_and_mere_words_are_not() {
    for (path, text) in [
        (
            "src/explain/farm.rs",
            "use crate::model::farm; use crate::settings; use super::weights;",
        ),
        (
            "src/explain/farm.rs",
            "// use crate::cluster;\n/* crate::cluster /* */ */ const A: &str = \"crate::cluster\";",
        ),
        (
            "src/explain/farm.rs",
            "const A: &str = r#\"\" crate::cluster\"#; const B: char = '\"'; fn f<'a>(x: &'a str) {}",
        ),
        (
            "src/explain/cues/n_rc.rs",
            "use super::super::posterior; mod tests { use super::super::super::weights; }",
        ),
        ("src/lab/mod.rs", "use crate::capture::writer::PcapWriter;"),
        (
            "src/decode/mod.rs",
            "#[cfg(test)]\nmod tests { use crate::capture::open; }",
        ),
        ("src/decode/tests.rs", "use crate::capture::open;"),
        ("src/main.rs", "fn main() { farmhawk::cli::run(); }"),
    ] {
        assert_eq!(forbidden_arrows(&File::of(path, text)), [""; 0], "{path}: {text}");
    }
}

#[test]
fn forbidden_acts_are_found_where_they_are_forbidden() {
    for (path, text, count) in [
        (
            "src/flow/mod.rs",
            "fn f() { println!(\"x\"); std::process::exit(1) }",
            2,
        ),
        (
            "src/flow/mod.rs",
            "#[cfg(test)]\nmod tests { fn f() { println!(); } }",
            0,
        ),
        (
            "src/flow/mod.rs",
            "#[cfg(test)]\nmod tests { }\nfn f() { eprintln!(); }",
            1,
        ),
        (
            "src/flow/mod.rs",
            "#[cfg(test)]\nmod tests;\nmod inner { fn f() { eprintln!(); } }",
            1,
        ),
        (
            "src/flow/mod.rs",
            "fn f() { let t = Instant::now(); unsafe { g() } }",
            2,
        ),
        (
            "src/flow/mod.rs",
            "#![deny(unsafe_code)] // unsafe, println!\nconst A: &str = \"unsafe\";",
            0,
        ),
        ("src/cli/mod.rs", "fn f() { println!(); }", 0),
        ("src/capture/fanout.rs", "unsafe { setsockopt() }", 0),
        ("src/capture/live.rs", "fn f() { Instant::now(); print!() }", 1),
    ] {
        let complaints = forbidden_acts(&File::of(path, text));
        assert_eq!(complaints.len(), count, "{path}: {text}: {complaints:?}");
    }
}

#[test]
fn a_file_that_grew_too_long_is_named() {
    let text = "\n".repeat(MOST_LINES + 1);
    let complaint = too_long(&File::of("src/flow/key.rs", &text));
    assert_eq!(
        complaint.as_deref(),
        Some("src/flow/key.rs: 551 lines, 550 are allowed")
    );
    let text = "\n".repeat(MOST_LINES);
    assert_eq!(too_long(&File::of("src/flow/key.rs", &text)), None);
}
