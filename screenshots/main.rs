//! Takes the pictures in this folder: the real program, in a real
//! pseudo-terminal, with the keys of [`scenes::SCENES`].
//!
//! ```text
//! cargo run --release --features screenshots --example screenshots [SCENE…]
//! ```

#![expect(clippy::unwrap_used, clippy::panic, reason = "a picture that fails ends the program")]

mod glyphs;
mod png;
mod scenes;
mod svg;
#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../tests/terminal/mod.rs"]
mod terminal;

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};

use scenes::{SCENES, Scene, Step};
use terminal::Terminal;

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let known: Vec<&str> = SCENES.iter().map(|scene| scene.name).collect();
    if let Some(unknown) = wanted.iter().find(|name| !known.contains(&name.as_str())) {
        eprintln!("there is no scene {unknown}; there are {}", known.join(", "));
        return ExitCode::from(2);
    }
    let chosen = SCENES.iter().filter(|scene| wanted.is_empty() || wanted.iter().any(|name| name == scene.name));
    match take_all(chosen) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn take_all(scenes: impl Iterator<Item = &'static Scene>) -> Result<(), String> {
    let painter = png::Painter::new()?;
    let program = build()?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("screenshots");
    for scene in scenes {
        let drawing = take(scene, &program);
        let file = folder.join(scene.name);
        std::fs::write(file.with_extension("svg"), &drawing).map_err(|error| error.to_string())?;
        painter.paint(&drawing, &file.with_extension("png"))?;
        eprintln!("{}: {} × {}", scene.name, scene.size.0, scene.size.1);
    }
    Ok(())
}

/// Builds the program in the profile of this example; cargo builds none for an
/// example.
fn build() -> Result<PathBuf, String> {
    let here = std::env::current_exe().map_err(|error| error.to_string())?;
    let folder = here.ancestors().nth(2).ok_or("this program stands in no target folder")?;
    let release = folder.ends_with("release");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--bin", "syncscope", "--features", "screenshots"]).args(release.then_some("--release"));
    let status = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().map_err(|error| error.to_string())?;
    if status.success() { Ok(folder.join("syncscope")) } else { Err("the program could not be built".to_owned()) }
}

fn take(scene: &Scene, program: &Path) -> String {
    let _payments = scene.payments.then(Payments::start);
    let mut command = Command::new(program);
    command.args(scene.arguments);
    let (columns, rows) = scene.size;
    let terminal = Terminal::start(command, columns, rows);
    for step in scene.steps {
        match *step {
            Step::Wait(text) => terminal.wait_for(text),
            Step::Keys(keys) => terminal.send_keys(keys),
            Step::Run(time) => std::thread::sleep(time),
        }
    }
    terminal.with_screen(|screen| svg::draw(screen, scene.title))
}

/// The program that the pictures of wait chains look at; ended with its
/// children when the picture is taken.
struct Payments {
    process: Child,
    folder: tempfile::TempDir,
}

impl Payments {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join("payments");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("screenshots/payments.c");
        // The picture shows where the source stands in this project, not on this machine.
        let short = concat!("-ffile-prefix-map=", env!("CARGO_MANIFEST_DIR"), "=/syncscope");
        let compiled = Command::new("cc").args(["-g", "-pthread", short, "-o"]).arg(&binary).arg(source).status();
        let compiled = compiled.unwrap();
        assert!(compiled.success(), "payments.c does not compile");
        let process = Command::new(binary).arg(folder.path().join("ledger.lock")).process_group(0).spawn().unwrap();
        Payments { process, folder }
    }
}

impl Drop for Payments {
    fn drop(&mut self) {
        let group = nix::unistd::Pid::from_raw(self.process.id().cast_signed());
        // It may have ended by itself.
        let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
        let _ = self.process.wait();
        debug_assert!(self.folder.path().exists(), "the folder lives as long as the program in it");
    }
}
