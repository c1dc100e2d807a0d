#!/usr/bin/env node
// npm links a command when it installs, before anything is built: so the command is a file that is there already.
import '../dist/lib/main.js'
