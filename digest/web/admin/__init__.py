"""/admin: the operator's pages. A token in the settings opens them; without one there are none."""
