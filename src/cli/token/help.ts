/** The help of `memcache-gateway token`, at most 92 columns wide. */
export const tokenHelp = `Usage: memcache-gateway token create --scopes SCOPE,... [--prefix PREFIX]... [--expires 90d]
                                     --token-file FILE
       memcache-gateway token list --token-file FILE
       memcache-gateway token revoke ID --token-file FILE

Manages the bearer tokens of clients. A running gateway with the same --token-file applies a
change within 2 seconds.

create  prints a new token on stdout, once: the file has only the SHA-256 of its secret.
        Creates the file if there is none, with mode 0600.
list    prints id, state, scopes, prefixes and end of each token, and never a secret.
revoke  removes the token with this id. A whole token may be given instead.

  --help, --version      print this text, or the version
  --token-file FILE      the file of tokens                              GATEWAY_TOKEN_FILE
  --scopes SCOPE,...     what the token permits, each scope by itself: read (get, exists,
                         info, list keys), write (put, remove), admin (clients, cluster,
                         remove by prefix)
  --prefix PREFIX        the token permits only keys that begin with PREFIX, such as
                         model-a/; can be given several times. Without it: all keys
  --expires DURATION     the token ends after this time: 30m, 12h, 90d. Without it: never
`;
