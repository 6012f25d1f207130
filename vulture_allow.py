"""Names that vulture takes for unused, each with the reason why it stays. Read by vulture only; nothing imports it."""

# ruff: noqa: B018, F821

# Called by others, by name
trace  # the third argument of every __exit__
container  # an argument of Textual's get_content_height
viewport  # an argument of Textual's get_content_height
_.get_content_height  # Textual asks a widget of automatic height
_._lanes_known  # a handler that Textual finds by its @on
_._view_ready  # a handler that Textual finds by its @on
_._visible_points_changed  # a handler that Textual finds by its @on
_._source_ended  # a handler that Textual finds by its @on
_._fatal_error  # Textual calls it for an exception that nobody caught
_.get_theme_variable_defaults  # Textual asks for the variables that its stylesheets may use
_.get_default_screen  # Textual asks for the first screen
_.get_system_commands  # Textual asks for the entries of its command palette
_.check_action  # Textual asks whether a key's action applies now
_.can_replace  # Textual asks whether a message may take the place of an older one
_._run_input_thread  # Textual's driver starts it as its input thread
_._sigtstp_application  # Textual's driver makes it the handler of SIGTSTP
_.stop_refused  # TerminalDriver calls it by its name after SIGTSTP
_.terminal_returned  # TerminalDriver calls it by its name after SIGCONT
_.set_character_set  # PyMySQL calls it when a connection has signed in
_._read_packet  # PyMySQL calls it for every packet

# Read by others, by name
_.use_unicode  # PyMySQL reads it
_.decoders  # PyMySQL reads it
_.no_color  # Textual reads it
_.animation_level  # Textual reads it
_.ALLOW_MAXIMIZE  # Textual reads it
_._file  # Textual's driver writes through it
_.nargs  # argparse reads it
_.const  # argparse reads it
_._print_message  # argparse calls it
_.can_read  # redis-py's pool calls it before it hands out a connection
_.on_connect_check_health  # redis-py calls it when a connection stands
_.credential_provider  # redis-py reads it when a connection signs in
_.unraisablehook  # Python calls it for an exception in a destructor

# Used by tests and benchmarks: the sandbox's part of faults on private servers
_.admin_mysql  # the socket of a private MySQL for its administrator
_.start_server  # starts a private server again that was stopped
_.min_us  # read by name, as a figure (engines/metrics/figures.py)
_.COMMANDS_USED  # tests hold the permissions, the null server and docs/bastion.md to it
