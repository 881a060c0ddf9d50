//! Watches the file of a test, so that what an editor saves is shown at once.
//!
//! The folder is watched, not the file: many editors write another file and
//! rename it (inotify(7)).

use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use rustix::fs::inotify;

use super::library;
use crate::backend::Update;
use crate::backend::outlet::Outlet;
use crate::model::Fault;
use crate::model::litmus::SavedTest;
use crate::model::text::visible;
use crate::sys::thread::start_thread;

/// A watch on one file. Dropping it ends its thread.
#[derive(Debug)]
pub struct FileWatch {
    path: String,
    inotify: Arc<OwnedFd>,
    number: i32,
    thread: Option<JoinHandle<()>>,
}

impl FileWatch {
    /// Publishes the file's text whenever it is saved.
    ///
    /// # Errors
    /// A fault where its folder cannot be watched.
    pub fn start(path: &str, outlet: Outlet) -> Result<Self, Fault> {
        let fault = |error: std::io::Error| {
            Fault::new(visible(path.as_bytes()), format!("cannot watch it: {error}"))
                .hint("read it again by hand: r".to_owned())
        };
        // What a link leads to is what is saved.
        let file = Path::new(path).canonicalize().map_err(fault)?;
        let (folder, name) = (file.parent().unwrap_or(&file), file.file_name().unwrap_or_default().to_owned());
        let inotify = Arc::new(inotify::init(inotify::CreateFlags::CLOEXEC).map_err(|error| fault(error.into()))?);
        let saved = inotify::WatchFlags::CLOSE_WRITE | inotify::WatchFlags::MOVED_TO;
        let number = inotify::add_watch(&inotify, folder, saved).map_err(|error| fault(error.into()))?;
        let (events, own) = (inotify.clone(), path.to_owned());
        let life = move || listen(&events, &name, &own, &outlet);
        let thread = start_thread("litmus file", Box::new(life)).map_err(fault)?;
        Ok(FileWatch { path: path.to_owned(), inotify, number, thread: Some(thread) })
    }

    /// The file.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl Drop for FileWatch {
    fn drop(&mut self) {
        // The kernel then says that nothing is watched any more, which ends the
        // thread.
        let _ = inotify::remove_watch(&self.inotify, self.number);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn listen(inotify: &OwnedFd, name: &OsStr, path: &str, outlet: &Outlet) {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut events = inotify::Reader::new(inotify, &mut buffer);
    loop {
        match events.next() {
            Ok(event) if event.events().contains(inotify::ReadFlags::IGNORED) => return,
            Ok(event) if event.file_name().is_some_and(|saved| saved.to_bytes() == name.as_bytes()) => {
                let saved = SavedTest { path: path.to_owned(), text: library::read(Path::new(path)) };
                outlet.publish(Update::SavedTest(Arc::new(saved)));
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                let what = format!("it is watched no longer: {}", std::io::Error::from(error));
                return outlet.fault(Fault::new(visible(path.as_bytes()), what));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::backend::outlet::outlet;

    #[test]
    fn a_saved_file_is_read_however_it_is_saved() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.litmus");
        std::fs::write(&path, "one").unwrap();
        let (out, inlet) = outlet();
        let watch = FileWatch::start(path.to_str().unwrap(), out).unwrap();
        let next = || {
            loop {
                inlet.bell().recv_timeout(Duration::from_secs(30)).expect("it was saved");
                let mut texts = Vec::new();
                inlet.drain(|update| {
                    if let Update::SavedTest(saved) = update {
                        assert_eq!(saved.path, watch.path());
                        texts.push(saved.text.clone().unwrap());
                    }
                });
                if let Some(last) = texts.pop() {
                    return last;
                }
            }
        };
        std::fs::write(folder.path().join("other.litmus"), "no").unwrap();
        std::fs::write(&path, "two").unwrap();
        assert_eq!(next(), "two");
        std::fs::write(folder.path().join("new"), "three").unwrap();
        std::fs::rename(folder.path().join("new"), &path).unwrap();
        assert_eq!(next(), "three");
        drop(watch);
        assert!(FileWatch::start("/nowhere/x.litmus", outlet().0).unwrap_err().what.contains("cannot watch it"));
    }
}
