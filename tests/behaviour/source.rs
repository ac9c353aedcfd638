//! Just enough reading of Rust to see which modules a file names: words and signs without comments and literals.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A word, or one sign (`::` counts as one).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
    /// Whether it stands in a module that exists only for tests.
    pub(crate) in_test: bool,
    /// Names of the inline modules around it, outermost first.
    pub(crate) modules: Arc<[String]>,
}

/// A source file.
#[derive(Clone, Debug)]
pub(crate) struct File {
    /// Path below the crate, with slashes: `src/flow/key.rs`.
    pub(crate) path: String,
    pub(crate) lines: usize,
    pub(crate) tokens: Vec<Token>,
}

impl File {
    /// Reads `text` as the file at `path`.
    pub(crate) fn of(path: &str, text: &str) -> Self {
        let mut tokens = split(text);
        place(&mut tokens, is_test_file(path));
        Self {
            path: path.to_owned(),
            lines: text.lines().count(),
            tokens,
        }
    }

    /// The file's module path: `src/flow/key.rs` is `flow`, `key`; `src/lib.rs` is the crate itself.
    pub(crate) fn module(&self) -> Vec<String> {
        let inner = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        inner
            .split('/')
            .filter(|part| !matches!(*part, "mod" | "lib" | "main"))
            .map(str::to_owned)
            .collect()
    }
}

/// Every Rust file below `src`, in the order of paths; files that are declared only for tests are marked so.
pub(crate) fn all() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    walk(&root.join("src"), &mut paths);
    paths.sort();
    let mut files: Vec<File> = paths
        .iter()
        .map(|path| {
            let below = path.strip_prefix(root).unwrap();
            let name = below.to_string_lossy().replace('\\', "/");
            File::of(&name, &fs::read_to_string(path).unwrap())
        })
        .collect();
    let only_tests: Vec<Vec<String>> = files.iter().flat_map(declared_for_tests).collect();
    for file in &mut files {
        let module = file.module();
        if only_tests.iter().any(|start| module.starts_with(start)) {
            for token in &mut file.tokens {
                token.in_test = true;
            }
        }
    }
    files
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// Modules that `#[cfg(test)] mod name;` in this file declares.
fn declared_for_tests(file: &File) -> Vec<Vec<String>> {
    let words: Vec<&str> = file.tokens.iter().map(|token| token.text.as_str()).collect();
    let mut found = Vec::new();
    for (position, window) in words.windows(7).enumerate() {
        if window != ["#", "[", "cfg", "(", "test", ")", "]"] {
            continue;
        }
        let rest = &words[position + 7..];
        let start = rest.iter().take(6).position(|word| *word == "mod");
        if let Some(start) = start
            && rest.get(start + 2) == Some(&";")
        {
            let mut module = file.module();
            module.push(rest[start + 1].to_owned());
            found.push(module);
        }
    }
    found
}

/// Words and signs of a text, without comments, strings and characters.
fn split(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let first = bytes[at];
        let may_be_literal = matches!(first, b'"' | b'\'' | b'r' | b'b' | b'c');
        let length = if first.is_ascii_whitespace() {
            1
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            comment(rest)
        } else if let Some(length) = may_be_literal.then(|| literal(rest)).flatten() {
            length
        } else {
            let word = rest
                .find(|letter: char| !letter.is_alphanumeric() && letter != '_')
                .unwrap_or(rest.len());
            let length = match word {
                0 if rest.starts_with("::") => 2,
                0 => rest.chars().next().map_or(1, char::len_utf8),
                length => length,
            };
            if !rest[..length].trim().is_empty() {
                tokens.push(Token {
                    text: rest[..length].to_owned(),
                    line,
                    in_test: false,
                    modules: Arc::default(),
                });
            }
            length
        };
        line += rest[..length].matches('\n').count();
        at += length;
    }
    tokens
}

/// Length of a block comment; they nest.
fn comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        let here = &rest.as_bytes()[at..];
        if here.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// Length of a string or character at the start of `rest`.
fn literal(rest: &str) -> Option<usize> {
    let prefix = ["br", "cr", "r", "b", "c", ""]
        .into_iter()
        .find(|prefix| {
            let tail = rest.strip_prefix(prefix).map(|tail| tail.trim_start_matches('#'));
            tail.is_some_and(|tail| tail.starts_with('"'))
        })
        .map(str::len);
    if let Some(prefix) = prefix {
        let hashes = rest[prefix..].len() - rest[prefix..].trim_start_matches('#').len();
        let is_raw = rest[..prefix].contains('r');
        if hashes > 0 && !is_raw {
            return None;
        }
        let body = prefix + hashes + 1;
        let end = format!("\"{}", "#".repeat(hashes));
        let length = if is_raw {
            rest[body..].find(&end).map(|found| found + end.len())
        } else {
            closing(&rest[body..], b'"')
        };
        return Some(length.map_or(rest.len(), |length| body + length));
    }
    let start = if rest.starts_with("b'") { 2 } else { 1 };
    if !rest.starts_with('\'') && start == 1 {
        return None;
    }
    let mut letters = rest[start..].chars();
    match letters.next()? {
        '\\' => closing(&rest[start..], b'\'').map(|length| start + length),
        // A lifetime has no second quote.
        letter if letters.next() == Some('\'') => Some(start + letter.len_utf8() + 1),
        _ => None,
    }
}

/// Octets up to and with the closing quote; a backslash takes the next along.
fn closing(body: &str, quote: u8) -> Option<usize> {
    let mut bytes = body.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        if byte == b'\\' {
            bytes.next();
        } else if byte == quote {
            return Some(at + 1);
        }
    }
    None
}

/// Notes for each token in which inline modules it stands, and whether one of them is for tests.
fn place(tokens: &mut [Token], is_test_file: bool) {
    // For each open brace: the modules inside it, and whether that is test code.
    let mut open: Vec<(Arc<[String]>, bool)> = vec![(Arc::default(), is_test_file)];
    for position in 0..tokens.len() {
        if tokens[position].text == "}" && open.len() > 1 {
            open.pop();
        }
        let (modules, in_test) = open[open.len() - 1].clone();
        tokens[position].modules = Arc::clone(&modules);
        tokens[position].in_test = in_test;
        if tokens[position].text != "{" {
            continue;
        }
        if position < 2 || tokens[position - 2].text != "mod" {
            open.push((modules, in_test));
            continue;
        }
        let name = tokens[position - 1].text.clone();
        let inside: Arc<[String]> = modules.iter().cloned().chain([name]).collect();
        // `cfg(test)` among the attributes before `mod name {`.
        let before = tokens[..position].iter().rev();
        let words: Vec<&str> = before
            .map(|token| token.text.as_str())
            .take_while(|word| !matches!(*word, ";" | "}"))
            .collect();
        let is_test = words.windows(4).any(|four| four == [")", "test", "(", "cfg"]);
        open.push((inside, in_test || is_test));
    }
}
