//! An SVG as a PNG, in the font that has every glyph of the dashboard.

use std::path::Path;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

/// Pixels a unit.
const SCALE: f32 = 2.0;

/// Draws pictures.
pub(crate) struct Painter {
    options: Options<'static>,
}

impl Painter {
    /// Loads the fonts.
    ///
    /// # Errors
    /// Where the system has no DejaVu Sans Mono, with the package that has it.
    pub(crate) fn new() -> Result<Self, String> {
        let mut fonts = fontdb::Database::new();
        fonts.load_system_fonts();
        let family = "DejaVu Sans Mono";
        if !fonts.faces().any(|face| face.families.iter().any(|(name, _)| name == family)) {
            return Err(format!(
                "the font {family} is not installed: apt-get install fonts-dejavu-core (Debian), \
                 dnf install dejavu-sans-mono-fonts (Fedora), pacman -S ttf-dejavu (Arch)"
            ));
        }
        fonts.set_monospace_family(family);
        let mut options = Options { font_family: family.to_owned(), ..Options::default() };
        options.fontdb = std::sync::Arc::new(fonts);
        Ok(Painter { options })
    }

    /// Writes `svg` as a picture.
    ///
    /// # Errors
    /// What was wrong with the drawing or the file.
    pub(crate) fn paint(&self, svg: &str, path: &Path) -> Result<(), String> {
        let tree = Tree::from_str(svg, &self.options).map_err(|error| error.to_string())?;
        let size = tree.size().to_int_size().scale_by(SCALE).ok_or("a drawing without size")?;
        let mut pixels = Pixmap::new(size.width(), size.height()).ok_or("a drawing too large")?;
        resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
        pixels.save_png(path).map_err(|error| format!("{}: {error}", path.display()))
    }
}
