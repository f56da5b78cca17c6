"""The published site: a Jekyll frame around the posts, the pages that the database knows, what builds and checks them.

jekyll/     the frame, as it is written into an output folder: configuration, layouts, style, fixed pages
frame       puts the frame there, and keeps what the user has changed
pages       writes the pages of categories, days and stocks, and the lists that the fixed pages show
rendering   Jekyll, run on a part of the site
freezing    months whose pages are kept as HTML
building    what `finews site build` does: only what has changed is rendered
checking    what `finews site check` does
"""
