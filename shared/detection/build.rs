//! Embeds the built-in rules: every `rules/**/*.yml` of the repository, read already, so that adding a rule takes no Rust and
//! starting takes no YAML. And of the catalogue of operations what a record is judged by, so that the Lambda does not carry
//! the rest.
//!
//! A build script and not a macro crate, because only a build script can tell cargo that a file was added to a folder.

#[path = "src/rules/fold.rs"]
mod fold;
#[path = "src/rules/needs.rs"]
mod needs;
#[path = "src/rules/packed.rs"]
mod packed;

use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use flate2::{Compression, write::DeflateEncoder};
use packed::{Content, Kept, Library, Packed, Packer};
use rsigma_parser::parse_sigma_yaml;
use sha2::{Digest as _, Sha256};

fn main() -> io::Result<()> {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or(io::ErrorKind::NotFound)?);
    let rules = manifest.join("../../rules").canonicalize()?;
    println!("cargo::rerun-if-changed={}", rules.display());
    for shared in ["fold.rs", "needs.rs", "packed.rs"] {
        println!("cargo::rerun-if-changed=src/rules/{shared}");
    }
    let mut files = Vec::new();
    collect(&rules, &mut files)?;
    files.sort();
    let mut texts = Vec::new();
    for file in &files {
        let name = file.strip_prefix(&rules).map_err(io::Error::other)?.display().to_string().replace('\\', "/");
        let text = fs::read_to_string(file)?;
        texts.push((format!("rules/{name}"), text));
    }
    let (mut kept, mut packer) = (Vec::new(), Packer::default());
    for (path, text) in &texts {
        let content = match pack(text, &mut packer) {
            Some(rule) => Content::Rule(Box::new(rule)),
            None => Content::Text(text),
        };
        kept.push(Kept { path, content });
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    let hashes: Vec<u8> = texts.iter().flat_map(|(_, text)| Sha256::digest(text.as_bytes())).collect();
    fs::write(out.join("builtin_hashes"), hashes)?;
    // Packed: the size of the Lambda is time to start it. Apart: a start needs neither what only findings show nor the
    // conditions of rules that no record meets.
    let library = Library { fields: packer.fields.iter().map(String::as_str).collect(), kept };
    fs::write(
        out.join("builtin_rules.deflate"),
        deflate(&postcard::to_allocvec(&library).map_err(io::Error::other)?)?,
    )?;
    fs::write(out.join("builtin_detections.deflate"), deflate(&packer.detections)?)?;
    fs::write(out.join("builtin_words.deflate"), deflate(&packer.words)?)?;
    println!("cargo::rerun-if-changed=data/operations.csv");
    let catalogue = fs::read_to_string(manifest.join("data/operations.csv"))?;
    let operations = operations(&catalogue).map_err(io::Error::other)?;
    fs::write(
        out.join("operations.deflate"),
        deflate(&postcard::to_allocvec(&operations).map_err(io::Error::other)?)?,
    )?;
    println!("cargo::rerun-if-changed=data/lists.yml");
    let lists = lists(&fs::read_to_string(manifest.join("data/lists.yml"))?).map_err(io::Error::other)?;
    fs::write(out.join("lists"), postcard::to_allocvec(&lists).map_err(io::Error::other)?)
}

/// The built-in lists by their names. That nothing is wrong with them is seen by a test, which reads them as a user's.
fn lists(yaml: &str) -> Result<BTreeMap<String, Vec<String>>, yaml_serde::Error> {
    yaml_serde::from_str(yaml)
}

fn deflate(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut packed = DeflateEncoder::new(Vec::new(), Compression::best());
    packed.write_all(bytes)?;
    packed.finish()
}

/// A file that holds one rule and nothing else. What is wrong with any other is told when it is loaded, and by a test.
fn pack(text: &str, packer: &mut Packer) -> Option<Packed> {
    let collection = parse_sigma_yaml(text).ok()?;
    let alone = collection.errors.is_empty() && collection.correlations.is_empty() && collection.filters.is_empty();
    match collection.rules.as_slice() {
        [rule] if alone => packer.pack(rule),
        _ => None,
    }
}

/// What is read of an operation: its class, counted in the order of [`CLASSES`], the members that it requires, and the place of its
/// page among all pages.
type Operation<'c> = (usize, Vec<&'c str>, usize);

/// Operations by source and name.
type Operations<'c> = BTreeMap<&'c str, BTreeMap<&'c str, Operation<'c>>>;

const CLASSES: [&str; 5] = ["read", "invoke", "write", "tag", "credential"];

/// Operations, and their pages, of a catalogue that `src/catalogue.rs` explains. A row that is not in
/// order, or has no class, stops the build: so none is there twice, and none is unclassified.
fn operations(csv: &str) -> Result<(Operations<'_>, Vec<String>), String> {
    let mut operations = Operations::new();
    let mut pages: Vec<String> = Vec::new();
    let mut before = ("", "");
    for (number, row) in csv.lines().enumerate().skip(1) {
        let wrong = |what: &str| format!("data/operations.csv, line {}: {what}", number + 1);
        let cells: Vec<&str> = row.split(',').collect();
        let [source, name, _, _, class, _, _, required, _, _, page, ..] = cells.as_slice() else {
            return Err(wrong("cells are missing"));
        };
        if before >= (*source, *name) {
            return Err(wrong("rows stand in the order of event source and event name, each once"));
        }
        let Some(class) = CLASSES.iter().position(|known| known == class) else {
            return Err(wrong("its class is read, invoke, write, tag or credential"));
        };
        if page.contains('*') {
            return Err(wrong("its page holds a `*`"));
        }
        let page = page.replace(name, "*");
        let place = pages.iter().position(|known| *known == page).unwrap_or_else(|| {
            pages.push(page);
            pages.len() - 1
        });
        operations.entry(source).or_default().insert(name, (class, required.split_whitespace().collect(), place));
        before = (*source, *name);
    }
    Ok((operations, pages))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "yml") {
            files.push(path);
        }
    }
    Ok(())
}
