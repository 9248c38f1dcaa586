"""Progress of a job for people: in come its states and events, out go bars on a terminal or plain lines elsewhere."""
