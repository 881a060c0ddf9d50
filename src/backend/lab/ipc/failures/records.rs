//! Several writers and one pipe: pipe(7) promises that writes of up to
//! `PIPE_BUF` bytes are not mixed with others, and nothing for larger ones.
//!
//! ```text
//! record   a letter, repeated; each writer has its own
//! torn     a record with another letter inside
//! ```

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::thread;

use super::{Finding, Notes, fault};
use crate::backend::lab::ipc::link::GoOn;
use crate::model::Fault;

const PIPE_BUF: usize = 4096;
const WRITERS: u8 = 4;
/// Records of each writer.
const RECORDS: usize = 500;

pub(super) fn torn_records(_: GoOn<'_>) -> Result<Finding, Fault> {
    let mut notes = Notes::new();
    for (size, atomic) in [(PIPE_BUF, true), (16 * PIPE_BUF + 1, false)] {
        let torn = torn(size).map_err(fault("the pipe broke"))?;
        let all = usize::from(WRITERS) * RECORDS;
        notes.add(
            format!("{WRITERS} writers, {all} records of {size} bytes: {torn} torn"),
            // Large ones may be torn; that none was proves nothing.
            !atomic || torn == 0,
        );
    }
    Ok(notes.end(
        "A write of up to PIPE_BUF (4096) bytes is put into a pipe whole; a larger one waits for room piece by piece, \
         and other writers' bytes come in between. Whoever shares a pipe keeps records small, or takes a lock.",
    ))
}

/// Lets all write at once and counts the records that hold another's bytes.
fn torn(size: usize) -> io::Result<usize> {
    let (reader, writer) = io::pipe()?;
    thread::scope(|scope| {
        for letter in b'a'..b'a' + WRITERS {
            let writer = writer.try_clone()?;
            scope.spawn(move || write_records(writer, letter, size));
        }
        drop(writer);
        read_records(reader, size)
    })
}

/// One call a record, unless the kernel takes only a part of it.
fn write_records(mut writer: PipeWriter, letter: u8, size: usize) -> io::Result<()> {
    let record = vec![letter; size];
    (0..RECORDS).try_for_each(|_| writer.write_all(&record))
}

/// A run of one letter is whole records if its length is a multiple of a
/// record's; each boundary elsewhere tore one.
fn read_records(mut reader: PipeReader, size: usize) -> io::Result<usize> {
    let mut record = vec![0; size];
    let mut torn = 0;
    for _ in 0..usize::from(WRITERS) * RECORDS {
        reader.read_exact(&mut record)?;
        torn += usize::from(record.iter().any(|letter| *letter != record[0]));
    }
    Ok(torn)
}
