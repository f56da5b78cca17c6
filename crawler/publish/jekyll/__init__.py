"""Published site: a Jekyll theme around the posts, generated pages, and the incremental build and check.

theme/            the theme, as it is written into an output folder: configuration, layouts, style, fixed pages
theme_installer   writes the theme there, and keeps what the user has changed
pages             writes the pages of categories, days and stocks, and the lists that the fixed pages show
site_source       theme and pages: written, compared with the rows, repaired
run_jekyll        Jekyll, run on a part of the site
archive           months whose pages are kept as HTML
build             what `finews site build` does: only what has changed is rendered
check             what `finews site check` does
"""
