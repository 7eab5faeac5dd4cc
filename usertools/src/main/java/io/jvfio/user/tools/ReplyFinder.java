// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Finds what one side of a recorded connection has replied to the other. It reads ahead of the
 * commands, but not further than so many messages, and each message once: a recording without
 * replies is not gone through for each of its commands.
 */
final class ReplyFinder {
  /** Ids have 16 bits, so no more commands can wait for their replies. */
  private static final int AHEAD = 1 << 16;

  /** More replies than this with the same id belong to nothing that is still to come. */
  private static final int MOST_OF_A_KIND = 256;

  private final ReplayConnection.Cursor cursor;
  private final MessageDirection direction;
  private final Map<Key, Deque<Reply>> waiting = new HashMap<>();
  private final Deque<Reply> inOrder = new ArrayDeque<>();

  /** Finds the replies that went this way. */
  ReplyFinder(ReplayConnection connection, MessageDirection direction) throws IOException {
    cursor = connection.cursor();
    this.direction = direction;
  }

  private record Key(int id, int command) {
    static Key of(ReplayMessage message) {
      return new Key(message.id(), message.command());
    }
  }

  /** A reply that was read. */
  private static final class Reply {
    private final ReplayMessage message;
    private boolean isTaken;

    Reply(ReplayMessage message) {
      this.message = message;
    }
  }

  /** Takes the first reply behind a command that belongs to it and was not taken. */
  Optional<ReplayMessage> take(ReplayMessage command) throws IOException {
    var key = Key.of(command);
    var known = waiting.get(key);
    if (known != null) {
      for (var reply : known) {
        if (reply.message.number() > command.number()) {
          return Optional.of(taken(known, reply));
        }
      }
    }
    while (cursor.count() - command.number() < AHEAD) {
      var message = cursor.next();
      if (message == null) {
        break;
      }
      if (message.direction() != direction || !message.isReply()) {
        continue;
      }
      if (message.number() > command.number() && Key.of(message).equals(key)) {
        return Optional.of(message);
      }
      keep(new Reply(message));
    }
    return Optional.empty();
  }

  private ReplayMessage taken(Deque<Reply> known, Reply reply) {
    reply.isTaken = true;
    known.remove(reply);
    if (known.isEmpty()) {
      waiting.remove(Key.of(reply.message));
    }
    return reply.message;
  }

  private void keep(Reply reply) {
    var same = waiting.computeIfAbsent(Key.of(reply.message), _ -> new ArrayDeque<>(1));
    if (same.size() == MOST_OF_A_KIND) {
      same.remove().isTaken = true;
    }
    same.add(reply);
    inOrder.add(reply);
    while (inOrder.size() > AHEAD || (!inOrder.isEmpty() && inOrder.element().isTaken)) {
      var oldest = inOrder.remove();
      var known = waiting.get(Key.of(oldest.message));
      if (!oldest.isTaken && known != null) {
        taken(known, oldest);
      }
    }
  }
}
