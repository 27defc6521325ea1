#!/usr/bin/env python3
"""Walks the sources against the arrows of ARCHITECTURE.md:

    server -> protocols -> core <- store <- server

and against what core and the adaptors must do without (threads, clocks, files, sockets). Every
offence is named as file:line. The test of the test runs the same walk on a made-up tree.
"""

import os
import re
import sys
import tempfile
import unittest

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
CLOCK = re.compile(r'\b(system_clock|steady_clock|high_resolution_clock)::now\b|\brandom_device\b')
COMMENT = re.compile(r'//.*$')
SOURCES = ('.h', '.cc')
FOLDERS = ('core', 'protocols', 'store', 'server')

# Standard headers that bring no threads, clock, files or terminal with them. <atomic> counts
# references; <chrono> is here for its durations, CLOCK sees to the rest.
PURE = set('''
algorithm any array atomic bit bitset cassert cctype cerrno charconv chrono cinttypes climits cmath
compare complex concepts cstdarg cstddef cstdint cstdio cstdlib cstring deque exception
forward_list functional initializer_list iterator limits list map memory memory_resource new
numbers numeric optional ostream queue ratio set source_location span sstream stack stdexcept
string string_view tuple type_traits typeindex typeinfo unordered_map unordered_set utility valarray
variant vector version
'''.split())

# What may be named in <> by whom, besides PURE. None: anything.
LIBRARIES = {
    'core': (),
    'protocols': (),
    # Threads and files are what store/ is for; sockets, Boost and Poco are not.
    'store': ('leveldb/', 'sys/', 'linux/', 'crc32c/', 'nmmintrin.h', 'x86intrin.h', 'immintrin.h',
              'arm_acle.h', 'fcntl.h', 'unistd.h', 'dirent.h', 'pthread.h',
              'condition_variable', 'filesystem', 'fstream', 'future', 'iostream', 'iomanip',
              'mutex', 'random', 'semaphore', 'shared_mutex', 'stop_token', 'system_error',
              'thread'),
    'server': None,
}
SOCKETS = ('sys/socket.h', 'netinet/', 'arpa/', 'sys/epoll.h')


def may_include(path, name):
    """Whether the file `path` may include the project header `name` (both from the root)."""
    module = path.split('/')[0]
    target = name.split('/')[0]
    if target not in FOLDERS:
        return False  # tests/ and examples/ see us, never the other way round
    if module == 'core':
        return target == 'core'
    if module == 'store':
        return target in ('core', 'store')
    if module == 'protocols':
        if target == 'core' or name == 'protocols/session.h':
            return True
        if name.startswith('protocols/content/'):  # which no adaptor's words reach
            return True
        adaptor = '/'.join(path.split('/')[:2]) + '/'
        return path.count('/') > 1 and name.startswith(adaptor)
    return module == 'server'


def may_use_library(path, name):
    allowed = LIBRARIES[path.split('/')[0]]
    if allowed is None:
        return True
    if any(name.startswith(socket) for socket in SOCKETS):
        return False
    if path.startswith('protocols/content/') and name == 'zlib.h':
        return True  # a function of bytes
    return name in PURE or any(name == one or (one.endswith('/') and name.startswith(one))
                               for one in allowed)


def offences(root):
    """All breaches under `root`, as "file:line: what"."""
    found = []
    for folder in FOLDERS:
        for directory, subdirectories, files in os.walk(os.path.join(root, folder)):
            subdirectories.sort()
            for file in sorted(files):
                if file.endswith(SOURCES):
                    found += offences_in(root, os.path.join(directory, file))
    return found


def offences_in(root, full_path):
    path = os.path.relpath(full_path, root).replace(os.sep, '/')
    pure = path.split('/')[0] in ('core', 'protocols')
    found = []
    with open(full_path, encoding='utf-8') as source:
        for number, line in enumerate(source, 1):
            include = INCLUDE.match(line)
            if include:
                quote, name = include.groups()
                allowed = may_include if quote == '"' else may_use_library
                if not allowed(path, name):
                    found.append(f'{path}:{number}: must not include {name}')
            elif pure and CLOCK.search(COMMENT.sub('', line)):
                found.append(f'{path}:{number}: time and chance are handed in, never asked for')
    return found


class IncludeDirectionTest(unittest.TestCase):
    def test_the_sources_follow_the_arrows(self):
        root = os.environ['PABAL_SOURCE_DIR']
        self.assertTrue(os.path.isdir(os.path.join(root, 'core')), root)
        self.assertEqual(offences(root), [])


class TestOfTheTest(unittest.TestCase):
    """Each wrong line is found, under its own number; each right one is let pass."""

    WRONG = {
        'core/a.h': ['#include <thread>', '#include "store/journal.h"', '#include "server/gate.h"',
                     '#include <sys/socket.h>', '#include <Poco/Logger.h>',
                     'auto now = std::chrono::system_clock::now();', '# include <fstream>'],
        'protocols/stomp/a.cc': ['#include "protocols/mqtt/packet.h"', '#include "store/store.h"',
                                 '#include <boost/asio.hpp>', '#include <mutex>',
                                 'std::chrono::steady_clock::now()'],
        'protocols/shared.h': ['#include "protocols/stomp/frame.h"'],
        'protocols/content/a.cc': ['#include "protocols/stomp/frame.h"', '#include <thread>'],
        'protocols/mqtt/a.cc': ['#include <zlib.h>'],
        'store/journal/a.cc': ['#include "protocols/session.h"', '#include <boost/asio.hpp>',
                               '#include <sys/socket.h>', '#include "server/gate.h"'],
        'server/a.cc': ['#include "tests/support/fake.h"'],
    }
    RIGHT = {
        'core/b.h': ['#include <vector>', '#include "core/a.h"', '// system_clock::now is banned'],
        'protocols/stomp/b.cc': ['#include "core/engine.h"', '#include "protocols/session.h"',
                                 '#include "protocols/stomp/frame.h"', '#include <string>',
                                 '#include "protocols/content/body.h"'],
        'protocols/content/b.cc': ['#include <zlib.h>', '#include "core/message.h"'],
        'store/b.cc': ['#include <leveldb/db.h>', '#include <thread>', '#include <sys/stat.h>',
                       '#include "core/store.h"', '#include "store/journal/journal.h"'],
        'server/b.cc': ['#include <boost/asio.hpp>', '#include <Poco/Logger.h>',
                        '#include "protocols/stomp/session.h"', '#include "store/journal.h"',
                        'auto now = std::chrono::system_clock::now();'],
    }

    def test_wrong_lines_are_found_and_right_ones_are_not(self):
        with tempfile.TemporaryDirectory() as root:
            for tree in (self.WRONG, self.RIGHT):
                for path, lines in tree.items():
                    full_path = os.path.join(root, path)
                    os.makedirs(os.path.dirname(full_path), exist_ok=True)
                    with open(full_path, 'w', encoding='utf-8') as source:
                        source.write('\n'.join(lines) + '\n')
            places = [offence.split(': ')[0] for offence in offences(root)]
        expected = [f'{path}:{number}' for path, lines in self.WRONG.items()
                    for number in range(1, len(lines) + 1)]
        self.assertEqual(sorted(places), sorted(expected))


if __name__ == '__main__':
    sys.exit(unittest.main(verbosity=2))
