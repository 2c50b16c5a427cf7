"""The report's charts: each a file, and in it a function `chart` from a comparison to a Vega-Lite chart.

The page, the figures as files and the dashboard draw the same definition. A chart names no colour but those
of `page.css.j2` (`var(--ink)`, see `theme`), so that one definition serves light, dark and print. What its
tooltips list, with their titles and formats, is also the table that stands folded below it on the page.
"""
