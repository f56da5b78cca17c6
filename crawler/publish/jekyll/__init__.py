"""Published site: a Jekyll theme around the posts, generated pages, and the incremental build and check.

theme/            the theme as it is written into an output folder: configuration, layouts, style, fixed pages
theme_installer   writes the theme, and keeps the files that the user has changed
pages             writes the pages of categories, days and stocks, and the lists of the fixed pages
site_source       updates theme and pages, compares them with the database, repairs them
run_jekyll        runs Jekyll on a part of the site
archive           keeps the pages of old months as HTML
build             renders what has changed, for `finews site build`
check             compares the built site with the database, for `finews site check`
"""
