"""The same as openssh_test.py, in full: 1 GiB each way and 50 cuts."""

import unittest

import openssh_test


class OpenSshInFull(openssh_test.OpenSsh):
    peer = "openssh (1 GiB, 50 cuts)"
    MEBIBYTES = 1024
    CUTS_OVER_UDP = 10
    CUTS_OVER_TCP = 40
    DEADLINE_S = 3600


class OpenSshToANodeInFull(OpenSshInFull, openssh_test.OpenSshToANode):
    peer = "openssh to a node (1 GiB, 50 cuts)"


if __name__ == "__main__":
    unittest.main(argv=["openssh_full", "OpenSshInFull", "OpenSshToANodeInFull"], verbosity=2)
