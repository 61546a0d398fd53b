"""TC-Bot's movie-ticket environment (Li et al. 2016, 2017): goals, table, rule-based user, tracker, 43 actions."""
