"""Runs one AWS CLI command per JSON line of arguments and answers with a JSON line of what it printed.

Every command has a process of its own, forked once the CLI is imported: importing is most of what a start of `aws` costs.
"""

import json
import os
import sys
import tempfile
import traceback

import awscli.clidriver

# The CLI imports its plugins when a driver is made, not when it is imported itself.
awscli.clidriver.create_clidriver()


def run(args):
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        pid = os.fork()
        if pid == 0:
            become_command(args, stdout, stderr)
        _, status = os.waitpid(pid, 0)
        return {"code": os.waitstatus_to_exitcode(status), "stdout": text(stdout), "stderr": text(stderr)}


def become_command(args, stdout, stderr):
    code = 255
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(stdout.fileno(), 1)
        os.dup2(stderr.fileno(), 2)
        sys.stdin = open(0, closefd=False)
        sys.argv = ["aws", *args]
        code = awscli.clidriver.main()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    os._exit(code)


def text(file):
    file.seek(0)
    return file.read().decode()


for line in sys.stdin:
    print(json.dumps(run(json.loads(line))), flush=True)
