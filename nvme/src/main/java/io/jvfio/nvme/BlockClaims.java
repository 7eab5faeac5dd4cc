// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Semaphore;

/**
 * The claims of writers to blocks of a namespace, through a channel.
 *
 * <p>A write that covers a block only in part reads the block and writes all of it: what another
 * writer puts there in between would be lost. So each write claims its blocks before it begins, and
 * of claims that overlap the earlier one goes first. Safe for use by several threads.
 */
final class BlockClaims {
  /** The claims in order of arrival. */
  private final List<Claim> claims = new ArrayList<>();

  /** A range of blocks that somebody writes, or waits to write. */
  final class Claim {
    private final long firstBlock;
    private final long lastBlock;
    private final Runnable onGranted;
    private boolean isGranted;

    private Claim(long firstBlock, long lastBlock, Runnable onGranted) {
      this.firstBlock = firstBlock;
      this.lastBlock = lastBlock;
      this.onGranted = onGranted;
    }

    private boolean overlaps(Claim other) {
      return firstBlock <= other.lastBlock && other.firstBlock <= lastBlock;
    }

    /**
     * Asks for the blocks, once, and returns at once: {@code onGranted} is called once they are the
     * caller's, by this call if they are free, by the thread that releases them otherwise.
     */
    void request() {
      synchronized (claims) {
        isGranted = claims.stream().noneMatch(this::overlaps);
        claims.add(this);
        if (!isGranted) {
          return;
        }
      }
      onGranted.run();
    }

    /** Gives the blocks to who waits for them; gives up waiting where they are not granted. */
    void release() {
      List<Claim> granted;
      synchronized (claims) {
        claims.remove(this);
        granted = grant();
      }
      granted.forEach(claim -> claim.onGranted.run());
    }
  }

  /** Grants whatever no earlier claim stands in the way of. */
  private List<Claim> grant() {
    List<Claim> granted = new ArrayList<>();
    for (int i = 0; i < claims.size(); i++) {
      var claim = claims.get(i);
      if (!claim.isGranted && claims.subList(0, i).stream().noneMatch(claim::overlaps)) {
        claim.isGranted = true;
        granted.add(claim);
      }
    }
    return granted;
  }

  /** A claim, to be requested. */
  Claim claim(long firstBlock, long lastBlock, Runnable onGranted) {
    return new Claim(firstBlock, lastBlock, onGranted);
  }

  /** Claims blocks, and waits until they are the caller's. */
  Claim await(long firstBlock, long lastBlock) {
    var granted = new Semaphore(0);
    var claim = claim(firstBlock, lastBlock, granted::release);
    claim.request();
    granted.acquireUninterruptibly();
    return claim;
  }
}
