use super::*;

fn texts(output: &mut Output) -> Vec<String> {
    output.log().iter().flat_map(|block| block.iter()).map(|line| line.text.to_string()).collect()
}

fn output(parts: &[(Stream, &[u8])]) -> Output {
    let mut output = Output::new(PER_CHILD);
    for (index, (stream, bytes)) in parts.iter().enumerate() {
        output.take(*stream, Nanos::from_millis(10 * index as u64), bytes);
    }
    output
}

#[test]
fn lines_survive_being_read_in_pieces() {
    let mut o = output(&[
        (Stream::Stdout, b"one\ntw"),
        (Stream::Stderr, b"oops\n"),
        (Stream::Stdout, b"o\n\xe8\xbf"),
        (Stream::Stdout, b"\x9b prompt> "),
    ]);
    assert_eq!(texts(&mut o), ["one", "oops", "two", "进 prompt> "]);
    let log = o.log();
    let line = &log[0][2];
    assert_eq!((line.stream, line.at), (Stream::Stdout, Nanos::ZERO), "a line is as old as its first byte");
    o.take(Stream::Stdout, Nanos::from_secs(1), b"yes\n");
    assert_eq!(texts(&mut o).last().unwrap(), "进 prompt> yes");
    assert_eq!((o.bytes(Stream::Stdout), o.bytes(Stream::Stderr)), (24, 5));
}

#[test]
fn endless_lines_are_split_between_characters() {
    let mut o = Output::new(PER_CHILD);
    for _ in 0..3 {
        o.take(Stream::Stdout, Nanos::ZERO, "进".repeat(1_000).as_bytes());
    }
    let lines = texts(&mut o);
    assert_eq!(lines.len(), 3);
    assert!(lines.iter().all(|line| line.len() <= LONGEST_LINE && line.chars().all(|c| c == '进')), "{lines:?}");
    assert_eq!(lines.concat().chars().count(), 3_000);
    o.take(Stream::Stdout, Nanos::ZERO, b"\n");
    assert_eq!(texts(&mut o).len(), 3, "the line end ends the last piece");
}

#[test]
fn the_bound_holds_and_every_line_is_kept_or_counted() {
    for (line, count) in
        [("y\n", 700_000), ("0123456789abcdef0123456789abcdef\n", 90_000), ("\x01\x02\u{202e}\n", 99_999)]
    {
        let mut o = Output::new(PER_CHILD);
        let mut sent = 0;
        while sent < count {
            let lines = (count - sent).min(1_789);
            o.take(Stream::Stdout, Nanos(sent as u64 * 10_000), line.repeat(lines).as_bytes());
            sent += lines;
            assert!(o.raw_bytes <= PER_CHILD);
            if sent % 5 == 0 {
                let _ = o.log();
            }
        }
        let kept = texts(&mut o);
        assert_eq!(kept.len() as u64 + o.dropped(), count as u64);
        assert!(o.log.cost <= PER_CHILD, "{}", o.log.cost);
        assert!(kept.len() * (PER_LINE + kept[0].len()) > PER_CHILD / 2, "the room is used: {}", kept.len());
    }
}

#[test]
fn an_endless_flood_without_line_ends_stays_visible() {
    let mut o = Output::new(PER_CHILD);
    for _ in 0..100 {
        o.take(Stream::Stdout, Nanos::ZERO, &vec![b'z'; CHUNK]);
    }
    let lines = texts(&mut o);
    assert!(lines.len() > 100 && lines.iter().all(|line| line.starts_with('z')));
    assert!(o.log.cost <= PER_CHILD);
}

#[test]
fn full_blocks_are_shared_and_a_smaller_limit_drops_the_oldest() {
    let mut o = Output::new(PER_CHILD);
    for index in 0..1_000 {
        o.take(Stream::Stdout, Nanos::ZERO, format!("{index}\n").as_bytes());
    }
    let (first, second) = (o.log(), o.log());
    assert!(first.len() > 2);
    assert!(first.iter().zip(&second).take(first.len() - 1).all(|(a, b)| Arc::ptr_eq(a, b)));
    o.set_limit(40 << 10);
    let lines = texts(&mut o);
    assert_eq!(lines.last().unwrap(), "999");
    assert_eq!(lines[0], o.dropped().to_string());
}
