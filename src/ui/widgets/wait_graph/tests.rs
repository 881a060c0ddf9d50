use super::*;
use crate::ui::theme::Depth;

fn node(id: usize, title: &str, links: Vec<Link>) -> Branch {
    let verdict = Some(("waiting".to_owned(), Role::Accent));
    let label = if links.is_empty() { Vec::new() } else { vec![Span::raw("lock")] };
    Branch { id, title: title.to_owned(), verdict, label, relation: "held by".to_owned(), links, ..Branch::default() }
}

fn drawn(root: &Branch, shape: Shape, width: u16) -> String {
    let theme = Theme::load("night", Depth::True).unwrap();
    let drawing = lay_out(root, shape, width, &theme);
    let area = Rect::new(0, 0, width, drawing.height() as u16);
    let mut buffer = Buffer::empty(area);
    drawing.draw(&mut buffer, area, 0, &theme);
    let row = |cells: &[ratatui::buffer::Cell]| cells.iter().map(ratatui::buffer::Cell::symbol).collect::<String>();
    let rows: Vec<String> =
        buffer.content.chunks(usize::from(width)).map(|cells| row(cells).trim_end().to_owned()).collect();
    rows.join("\n")
}

#[test]
fn a_loop_closes() {
    let root = node(0, "a 1", vec![Link::To(node(1, "b 2", vec![Link::Back(0, "1 a".to_owned())]))]);
    let expected = "\
╭──────────────────╮
│ a 1      waiting │◀╮
╰─┬────────────────╯ │
  │ lock             │
  ▼ held by          │
╭──────────────────╮ │
│ b 2      waiting │ │
╰─┬────────────────╯ │
  │ lock             │
  ╰─ held by 1 a ────╯";
    assert_eq!(drawn(&root, Shape::Boxes, 40), expected);
}

#[test]
fn a_thread_that_waits_for_itself_is_a_loop_of_one() {
    let root = node(0, "a 1", vec![Link::Back(0, "1 a".to_owned())]);
    let expected = "\
● a 1  waiting ◀╮
│ lock          │
╰─ held by 1 a ─╯";
    assert_eq!(drawn(&root, Shape::Rows, 40), expected);
}

#[test]
fn several_holders_have_an_arrow_each_and_what_is_not_drawn_is_named() {
    let onward = Link::Onward("4 more".to_owned(), Role::Dim);
    let root = node(0, "a 1", vec![Link::To(node(1, "b 2", vec![])), Link::To(node(2, "c 3", vec![])), onward]);
    let expected = "\
● a 1  waiting
│ lock
│ held by
├─▶ ● b 2  waiting
├─▶ ● c 3  waiting
╰─ ⋯ 4 more";
    assert_eq!(drawn(&root, Shape::Rows, 40), expected);
    let boxes = drawn(&root, Shape::Boxes, 40);
    assert!(boxes.contains("├─▶ │ b 2") && boxes.contains("├─▶ │ c 3"), "{boxes}");
    let edges: Vec<usize> = boxes.lines().filter(|line| line.ends_with('│')).map(|line| line.chars().count()).collect();
    assert!(edges.iter().all(|edge| *edge == edges[0]), "boxes end in one column:\n{boxes}");
}

#[test]
fn loops_within_loops_have_rails_of_their_own() {
    let inner = node(2, "c 3", vec![Link::Back(1, "2 b".to_owned()), Link::Back(0, "1 a".to_owned())]);
    let root = node(0, "a 1", vec![Link::To(node(1, "b 2", vec![Link::To(inner)]))]);
    let picture = drawn(&root, Shape::Rows, 40);
    assert!(picture.lines().filter(|line| line.contains('◀')).count() == 2, "{picture}");
    assert!(picture.lines().filter(|line| line.contains('╯')).count() == 2, "{picture}");
}

#[test]
fn no_width_and_no_depth_is_too_much() {
    let mut root = node(99, "the last of a very long chain with a very long name", vec![Link::Back(0, "0".to_owned())]);
    for id in (0..60).rev() {
        let other = Link::Onward("何か".to_owned(), Role::Warn);
        root = node(id, "进程进程进程", if id % 3 == 0 { vec![Link::To(root), other] } else { vec![Link::To(root)] });
    }
    for width in [1, 2, 5, 12, 13, 20, 21, 60, 240] {
        for shape in [Shape::Boxes, Shape::Rows] {
            drawn(&root, shape, width);
        }
    }
}
