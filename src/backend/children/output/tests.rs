use super::*;

fn made(output: &mut Output) -> Vec<Arc<[OutputLine]>> {
    output.make_lines();
    output.log()
}

fn texts(output: &mut Output) -> Vec<String> {
    made(output).iter().flat_map(|block| block.iter()).map(|line| line.text.to_string()).collect()
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
    let log = made(&mut o);
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
fn the_pieces_of_a_long_line_say_that_they_are() {
    let long = "x".repeat(10_000);
    let mut output = output(&[
        (Stream::Stdout, b"short\n"),
        (Stream::Stdout, long.as_bytes()),
        (Stream::Stderr, b"short\n"),
        (Stream::Stdout, b"end\nnext\n"),
        (Stream::Stdout, long.as_bytes()),
    ]);
    let made = made(&mut output);
    let of = |stream| {
        let lines = made.iter().flat_map(|block| block.iter()).filter(|line| line.stream == stream);
        lines.map(|line| line.continues).collect::<Vec<_>>()
    };
    assert_eq!(of(Stream::Stdout), [false, false, true, true, false, false, true, true]);
    assert_eq!(of(Stream::Stderr), [false]);
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
                let _ = made(&mut o);
            }
        }
        let kept = texts(&mut o);
        assert_eq!(kept.len() as u64 + o.dropped(), count as u64);
        assert!(o.log.cost <= PER_CHILD, "{}", o.log.cost);
        assert!(kept.len() * (PER_LINE + kept[0].len()) > PER_CHILD / 2, "the room is used: {}", kept.len());
    }
}

/// Among a thousand children each has little room; nothing of what is kept may
/// be larger, however it was read.
#[test]
fn a_small_bound_holds_too() {
    let limit = 24 << 10;
    let storms: [&[u8]; 5] =
        [b"y\n", b"a line of the crowd, such as a log has them\n", &[b'z'; 4_096], b"\0\n", b"\xff"];
    for (storm, size) in storms.iter().flat_map(|storm| [1, 100, CHUNK].map(|size| (storm, size))) {
        let mut o = Output::new(PER_CHILD);
        for turn in 0..if size == CHUNK { 40 } else { 2_000 } {
            // What was read before there were so many is too much now.
            if turn == 20 {
                o.set_limit(limit);
            }
            o.take(Stream::Stdout, Nanos::from_millis(turn * 2), &storm.repeat(size.div_ceil(storm.len())));
            let raw: usize = o.raw.iter().map(|chunk| chunk.bytes.capacity()).sum();
            assert!(turn < 20 || (raw <= limit && o.raw_bytes <= limit + 4_096), "{}: {raw}", storm.escape_ascii());
            if turn % 7 == 0 {
                let kept = made(&mut o).iter().map(|block| size_of_val::<[OutputLine]>(block)).sum::<usize>();
                assert!(turn < 20 || (o.log.cost <= limit + LONGEST_LINE && kept <= limit + LONGEST_LINE), "{kept}");
            }
        }
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
    let (first, second) = (made(&mut o), made(&mut o));
    assert!(first.len() > 2);
    assert!(first.iter().zip(&second).take(first.len() - 1).all(|(a, b)| Arc::ptr_eq(a, b)));
    o.set_limit(40 << 10);
    let lines = texts(&mut o);
    assert_eq!(lines.last().unwrap(), "999");
    assert_eq!(lines[0], o.dropped().to_string());
}

#[test]
fn a_progress_bar_is_one_line_however_long_it_goes_on() {
    let mut o = Output::new(PER_CHILD);
    for percent in 0..=10_000 {
        let bar = format!("\r\x1b[32m{:>6.2} %\x1b[0m of it\x1b[K", f64::from(percent) / 100.0);
        // Torn anywhere, as reads are.
        let (first, second) = bar.as_bytes().split_at(percent as usize % bar.len());
        o.take(Stream::Stderr, Nanos(u64::from(percent as u32)), first);
        o.take(Stream::Stderr, Nanos(u64::from(percent as u32)), second);
        if percent % 1_000 == 7 {
            assert_eq!(texts(&mut o).len(), 1);
        }
    }
    assert_eq!(texts(&mut o), ["100.00 % of it"]);
    assert_eq!(made(&mut o)[0][0].strokes.as_ref().unwrap().len(), 2);
    o.take(Stream::Stderr, Nanos::from_secs(1), b"\ndone\n");
    assert_eq!(texts(&mut o), ["100.00 % of it", "done"]);
}

#[test]
fn sequences_survive_being_read_in_pieces() {
    let text = "\x1b]0;a title\x1b\\a\x1b[38;2;250;5;5mred 进\x1b[0m\tb\x1b]52;c;aGk=\x07c\r\x1b[2Cd\n";
    let mut whole = output(&[(Stream::Stdout, text.as_bytes())]);
    let whole = made(&mut whole)[0][0].clone();
    for at in 1..text.len() {
        let (first, second) = text.as_bytes().split_at(at);
        let mut o = Output::new(PER_CHILD);
        o.take(Stream::Stdout, Nanos::ZERO, first);
        let seen = texts(&mut o).concat();
        assert!(!seen.contains('\\'), "what is cut is not shown yet: {seen}");
        o.take(Stream::Stdout, Nanos::ZERO, second);
        let line = &made(&mut o)[0][0];
        assert_eq!((&line.text, &line.strokes), (&whole.text, &whole.strokes), "cut at {at}");
    }
}

#[test]
fn a_colour_goes_on_until_it_is_changed() {
    let mut o = output(&[(Stream::Stdout, b"\x1b[31mone\ntwo\n"), (Stream::Stderr, b"plain\n")]);
    let painted: Vec<bool> = made(&mut o)[0].iter().map(|line| line.strokes.is_some()).collect();
    assert_eq!(painted, [true, true, false]);
    // Another run of it begins as a terminal would.
    o.end(Stream::Stdout);
    o.take(Stream::Stdout, Nanos::from_secs(1), b"three\n");
    assert!(made(&mut o).last().unwrap().last().unwrap().strokes.is_none());
}

#[test]
fn a_long_string_is_passed_over_and_counted_where_it_has_no_end() {
    let picture = format!("\x1bPq{}\x1b\\", "#0~".repeat(100_000));
    for size in [1, 1_000, 4_096, 65_000] {
        let mut o = Output::new(PER_CHILD);
        for piece in [b"before ", picture.as_bytes(), b"after\n"].concat().chunks(size) {
            o.take(Stream::Stdout, Nanos::ZERO, piece);
            if size > 1 {
                let _ = made(&mut o);
            }
        }
        assert_eq!(texts(&mut o).concat(), "before after", "in pieces of {size}");
    }
    let mut o = output(&[(Stream::Stdout, &[b"\x1b]0;", vec![b'x'; 9_996].as_slice()].concat())]);
    let counted = "\\x1b… 10000 bytes of a control string without an end";
    assert_eq!(texts(&mut o), [counted]);
    o.take(Stream::Stdout, Nanos::ZERO, b"\nnext\n");
    assert_eq!(texts(&mut o), [counted, "next"]);
}

#[test]
fn a_stream_s_end_ends_its_line() {
    let mut o = output(&[(Stream::Stdout, b"prompt> \x1b[3")]);
    assert_eq!(texts(&mut o), ["prompt> "]);
    o.end(Stream::Stdout);
    assert_eq!(texts(&mut o), ["prompt> \\x1b[3"]);
    o.take(Stream::Stdout, Nanos::from_secs(1), b"hello\n");
    assert_eq!(texts(&mut o), ["prompt> \\x1b[3", "hello"], "started again");
}

/// Whatever it writes: what is kept is bounded, and nothing of it can act on a
/// terminal.
#[test]
fn a_storm_of_sequences_is_bounded() {
    let storms: [&[u8]; 8] = [
        b"\x1b[31mr\x1b[32mg",
        b"\x1b[31mr\x1b[32mg\n",
        b"\x1b[999C\n",
        b"\x1b[999Cx",
        b"\x1b[500@x\r",
        b"\x1b]52;c;",
        b"\x1b[",
        b"\0\xff\x9b\n\x1b",
    ];
    for storm in storms {
        let mut o = Output::new(PER_CHILD);
        for _ in 0..5 {
            (0..4).for_each(|_| o.take(Stream::Stdout, Nanos::ZERO, &storm.repeat(CHUNK / storm.len())));
            let log = made(&mut o);
            let text: usize = log.iter().flat_map(|block| block.iter()).map(|line| line.text.len()).sum();
            assert!(o.log.cost <= PER_CHILD && text <= 2 * PER_CHILD, "{}: {text}", storm.escape_ascii());
        }
        assert!(texts(&mut o).iter().all(|line| !line.chars().any(char::is_control)), "{}", storm.escape_ascii());
    }
}

/// A flood comes in whole buffers, which are not copied.
#[test]
fn whole_buffers_are_taken_like_others() {
    for limit in [PER_CHILD, 100 << 10] {
        let (mut copied, mut kept) = (Output::new(limit), Output::new(limit));
        let mut buffer = vec![0; CHUNK];
        for turn in 0..40u64 {
            let line = format!("{turn:03} \x1b[3{}mand so on\x1b[m\r\n", turn % 8);
            let bytes: Vec<u8> = line.bytes().cycle().skip(turn as usize).take(CHUNK).collect();
            let at = Nanos::from_millis(10 * turn);
            copied.take(Stream::Stdout, at, &bytes);
            buffer.copy_from_slice(&bytes);
            kept.take_buffer(Stream::Stdout, at, &mut buffer);
            assert_eq!(buffer.len(), CHUNK);
            assert!(kept.raw_bytes <= limit);
            if turn == 20 {
                assert_eq!(texts(&mut copied), texts(&mut kept));
            }
        }
        assert_eq!(texts(&mut copied), texts(&mut kept));
        assert_eq!((copied.dropped(), copied.bytes), (kept.dropped(), kept.bytes));
    }
}
